"""A model whose processor crops learns nothing about what it does not see, and that is said."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.base import Conversation
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.training.data.collator import Collator
from locvlm.training.stage_tasks import StageTasks
from locvlm.training.train import train
from tests import families

SIZE = (60, 40)  # of which it sees x from 10 to 50
INSIDE, CUT, OUTSIDE = (20, 5, 12, 20), (4, 5, 20, 20), (0, 5, 12, 20)  # x, y, width, height
SEEN = Box(10, 0, 50, 40)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llava")
    for part in families.build("llava"):
        part.save_pretrained(folder)
    return folder


@pytest.fixture
def recipe(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures; the object of the first is outside of what is seen, one of the second, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    boxes = [[OUTSIDE], [OUTSIDE, INSIDE], [CUT], [INSIDE], [INSIDE, CUT], [INSIDE]]
    images, annotations = [], []
    noise = np.random.default_rng(0)
    for number, some in enumerate(boxes):
        pixels = noise.integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": SIZE[0], "height": SIZE[1]}
        )
        for kind, box in enumerate(some, 1):
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": kind, "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0}
            )  # fmt: skip
    kinds = [{"id": i, "name": name} for i, name in enumerate(("dog", "cat", "cup"), 1)]
    coco = {"images": images, "annotations": annotations, "categories": kinds}
    Path("coco.json").write_text(json.dumps(coco))
    objectives = ("locpred", "revloc", "category")
    options = BuildOptions(questions=QuestionOptions(objectives=objectives))
    build_from_files(Path("coco.json"), Path("images"), Path("data"), options)
    Path("recipe.yaml").write_text(
        f"""\
model: {model}
data: [data]
out: out
lora: {{rank: 2, alpha: 2, targets: [all]}}
stages:
  places: {{trains: adapter+lora, steps: 6, images: 2, questions: {{locpred: 9, revloc: 9}}}}
"""
    )
    return Path("recipe.yaml")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Conversation]:
    """What the collator is given."""
    met: list[Conversation] = []
    encode = Collator.encode

    def note(self: Collator, conversation: Conversation, *args: Any, **more: Any) -> Any:
        met.append(conversation)
        return encode(self, conversation, *args, **more)

    monkeypatch.setattr(Collator, "encode", note)
    return met


@pytest.mark.parametrize("layout", ["packed", "padded"])
def test_only_what_is_seen_is_learned(
    layout: str, recipe: Path, asked: list[Conversation], capsys: pytest.CaptureFixture[str]
) -> None:
    train(recipe, [f"layout={layout}", "flip=false"])
    steps = Path("out/places/log.jsonl").read_text().splitlines()
    assert json.loads(steps[-1])["step"] == 6  # none is passed over
    assert len(asked) == 12
    assert {Path(one.image).name for one in asked} == {f"{n}.png" for n in range(1, 6)}
    places = [box for one in asked for item in one.instructions for box in item.locations]
    assert places and all(isinstance(box, Box) for box in places)
    assert {(box.x1, box.x2) for box in places if isinstance(box, Box)} == {(20, 32), (4, 24)}
    said = capsys.readouterr().err
    words = "left out, questions about what lies outside of what the model sees: 6 of 22"
    assert f"{words} (locpred 2, revloc 2, category 2) about pictures" in said
    assert "pictures that have no question left: 1" in said
    record = json.loads(Path("out/unseen_questions.json").read_text())
    assert record["pictures without a question left"] == 1
    assert record["questions about objects that are cut"] == 4
    assert "0.png" in record["examples"][0]


def test_parts_of_pictures_likewise(recipe: Path, asked: list[Conversation]) -> None:
    """Questions about parts are drawn anew; the processor crops these, too."""
    crop = "augment={crop: {share: 1.0, area: [0.5, 1]}}"
    train(recipe, [crop, "flip=false", "stages.places.steps=20"])
    assert len({(one.width, one.height) for one in asked}) > 5
    for one in asked:
        side = min(one.width, one.height)
        x, y = ((n - side) / 2 for n in (one.width, one.height))
        seen = Box(x - 1, y - 1, x + side + 1, y + side + 1)
        for item in one.instructions:
            for box in item.locations:
                assert isinstance(box, Box) and box.within(seen).area >= 0.49 * box.area


def test_a_model_that_is_shown_whole_pictures_is_asked_everything(
    recipe: Path, asked: list[Conversation], capsys: pytest.CaptureFixture[str]
) -> None:
    train(recipe, ["whole_images=true", "stages.places.steps=3"])
    assert {Path(one.image).name for one in asked} == {f"{n}.png" for n in range(6)}
    assert "left out" not in capsys.readouterr().err
    assert not Path("out/unseen_questions.json").exists()
    assert json.loads(Path("out/model/locvlm.json").read_text())["whole_images"]


def test_rewards_are_for_what_is_seen(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All stages that ask draw from what is left."""
    samplers = []
    build = StageTasks.build_sampler

    def note(self: StageTasks, *args: Any, **more: Any) -> Any:
        samplers.append(build(self, *args, **more))
        return samplers[-1]

    monkeypatch.setattr(StageTasks, "build_sampler", note)
    pytest.importorskip("trl")
    stage = "{trains: lora, steps: 1, images: 2, questions: {locpred: 1}, reinforce: {samples: 2}}"
    train(recipe, [f"stages={{rewarded: {stage}}}"])
    assert samplers
    for sampler in samplers:
        assert len(sampler.conversations) == 5


def test_nothing_left_is_an_error(recipe: Path) -> None:
    coco = json.loads(Path("coco.json").read_text())
    for item in coco["annotations"]:
        item["bbox"] = OUTSIDE
    Path("coco.json").write_text(json.dumps(coco))
    options = BuildOptions(questions=QuestionOptions(objectives=("locpred", "revloc")))
    build_from_files(Path("coco.json"), Path("images"), Path("outside"), options)
    with pytest.raises(InputError, match=r"left out, .*; nothing is left to learn from"):
        train(recipe, ["data=[outside]", "stages.places.questions={locpred: 1, revloc: 1}"])


def test_patches_are_named_by_what_they_show(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid lies over what is seen, not over the picture."""
    found: list[np.ndarray] = []
    build = StageTasks._build_naming_task

    def note(self: StageTasks, count: int) -> Any:
        task = build(self, count)
        found.append(task.labels.numpy())
        return task

    monkeypatch.setattr(StageTasks, "_build_naming_task", note)
    train(recipe, ["stages={naming: {trains: naming, steps: 1, images: 2}}"])
    dog = found[0][3].reshape(4, 4)  # of the picture with one object inside: x 20 … 32
    centers = SEEN.x1 + (np.arange(4) + 0.5) / 4 * SEEN.width
    assert (dog[1] == 0).tolist() == [20 <= x < 32 for x in centers]
