"""A model describes objects, and a data set is built from what it said."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.inference.sampling import Sampling
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset
from locvlm.pseudo import describe as describing
from locvlm.pseudo import describers
from locvlm.pseudo.describe import PROMPT, describe
from tests import families

SAID = {"dog": "There is a brown dog.", "bus": "A dog next to a bus", "tree": "A tall tree"}


class Speaker:
    """Says of a thing what `SAID` has, and remembers what it was asked."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.loaded: list[Sampling | None] = []  # how it was to answer
        self.cut: set[str] = set()  # whose answers the limit of tokens ends
        self.cut_answers: list[bool] = []

    def answer_all(
        self, asked: Sequence[tuple[Any, Sequence[str]]], *, max_new_tokens: int
    ) -> list[list[str]]:
        now = [question for _, questions in asked for question in questions]
        self.questions += now
        self.cut_answers = [any(f" {name} " in question for name in self.cut) for question in now]
        return [
            [next(text for name, text in SAID.items() if f" {name} " in q) for q in questions]
            for _, questions in asked
        ]


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> Speaker:
    made = Speaker()
    describers._predictor.cache_clear()

    def load(name: str, *, sampling: Sampling | None) -> Speaker:
        made.loaded.append(sampling)
        return made

    monkeypatch.setattr("locvlm.inference.predictor.load_predictor", load)
    return made


def photos(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.new("RGB", (100, 80)).save(folder / name)


def detections(**more: Any) -> AnnotationSet:
    things = (
        Object("dog", Box(10, 10, 20.5, 20)),
        Object("bus", Box(50, 10, 90, 60)),
        Object("cup", Box(0, 0, 5, 5)),
        Object("cup", Box(5, 5, 9, 9)),
    )
    images = [
        AnnotatedImage(1, "a.png", 100, 80, things, **more),
        AnnotatedImage("b", "b.png", 100, 80, (Object("tree", Box(0, 0, 9, 9)),), **more),
        AnnotatedImage(3, "c.png", 100, 80, (), **more),
    ]
    return AnnotationSet(images, ("dog", "bus", "cup", "tree"), Path("boxes.json"))


def run(tmp_path: Path, data: AnnotationSet, **options: Any) -> describing.DescriptionSummary:
    return describe(data, tmp_path / "photos", tmp_path / "said.json", model="m", **options)


def test_what_a_cropping_model_does_not_see_is_not_described(
    tmp_path: Path, speaker: Speaker
) -> None:
    """Of a picture of 100 x 80 a LLaVA-1.5 sees x from 10 to 90: not the tree in the corner."""
    for part in families.build("llava"):
        part.save_pretrained(tmp_path / "llava")
    photos(tmp_path / "photos", ["a.png", "b.png"])
    out = tmp_path / "said.json"
    found = describe(detections(), tmp_path / "photos", out, model=str(tmp_path / "llava"))
    assert not any("tree" in question for question in speaker.questions)
    assert found.asked == 2 and found.drops[describing.UNSEEN_OBJECTS] == 1
    assert found.examples[describing.UNSEEN_OBJECTS] == ["b.png: tree"]
    assert json.loads(out.read_text())["info"]["pseudo"]["dropped"][describing.UNSEEN_OBJECTS] == 1


def test_nothing_to_describe(tmp_path: Path, speaker: Speaker) -> None:
    with pytest.raises(InputError, match="no category has one instance"):
        run(tmp_path, AnnotationSet([], (), Path("boxes.json")))
    assert not list(tmp_path.iterdir())


def test_descriptions_may_be_drawn(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path, ["a.png", "b.png"])
    given = (detections(), tmp_path, tmp_path / "said.json")
    describe(*given, model="m", sampling=Sampling(0.2, 7))
    assert speaker.loaded == [Sampling(0.2, 7)]
    told = json.loads((tmp_path / "said.json").read_text())["info"]["pseudo"]
    assert told["decoding"] == {"method": "multinomial", "temperature": 0.2, "seed": 7}
    describe(*given, model="m")
    assert speaker.loaded[-1] is None
    assert "decoding" not in json.loads((tmp_path / "said.json").read_text())["info"]["pseudo"]


def test_a_prompt_without_a_category(tmp_path: Path, speaker: Speaker) -> None:
    with pytest.raises(InputError, match=r"has no \{category\}"):
        run(tmp_path, detections(), prompt="Describe it.")


def test_single_objects_are_asked_about(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png"])
    found = run(tmp_path, detections())
    assert speaker.questions == [
        PROMPT.replace("{category}", name) for name in ("dog", "bus", "tree")
    ]
    assert (found.pictures, found.asked, found.kept) == (2, 3, 2)
    assert found.drops == {"descriptions of another category": 1}
    assert found.examples == {"descriptions of another category": ["bus: A dog next to a bus"]}
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "said.json"}


def test_what_is_cut_or_thought_is_no_description(
    tmp_path: Path, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png"])
    monkeypatch.setitem(SAID, "dog", "<think>A red bus?</think>There is a brown dog.")
    speaker.cut = {"tree"}
    found = run(tmp_path, detections())
    assert found.kept == 1
    assert found.examples["descriptions that were cut at the limit of tokens"] == [
        "tree: A tall tree"
    ]
    first, second, _ = readers.read("coco", tmp_path / "said.json").images
    assert first.objects[0].descriptions == ("a brown dog.",)
    assert second.objects[0].descriptions == ()


def test_the_file_is_the_data_set_again(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    before = detections()
    run(tmp_path, before)
    assert readers.detect_format(tmp_path / "said.json")[0] == "coco"
    after = readers.read("coco", tmp_path / "said.json", images=tmp_path / "photos")
    assert after.categories == before.categories
    assert not after.drops
    assert after.pseudo["model"] == "m"
    assert after.pseudo["dropped"] == {"descriptions of another category": 1}
    for old, new in zip(before.images, after.images, strict=True):
        assert (old.id, old.file_name, old.absent) == (new.id, new.file_name, new.absent)
        assert [(i.category, i.box) for i in old.objects] == [
            (i.category, i.box) for i in new.objects
        ]
    assert [item.descriptions for item in after.images[0].objects] == [("a brown dog.",)] + [()] * 3


def test_what_is_known_to_be_absent_stays_so(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    run(tmp_path, detections(absent=("tree", "cup"), not_exhaustive=("bus",)))
    reader = readers.detect_format(tmp_path / "said.json")[0]
    after = readers.read(reader, tmp_path / "said.json", images=tmp_path / "photos")
    first, second, third = after.images
    assert first.absent_of(after.categories) == ["tree"]
    assert second.absent_of(after.categories) == ["cup"]
    assert sorted(third.absent_of(after.categories)) == ["cup", "tree"]
    assert {image.not_exhaustive for image in after.images} == {("bus",)}


def test_what_one_picture_is_not_sure_of(tmp_path: Path, speaker: Speaker) -> None:
    """Such as a category one box of which had no area."""
    photos(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    data = detections()
    data = replace(
        data, images=[replace(data.images[0], not_exhaustive=("cup",)), *data.images[1:]]
    )
    run(tmp_path, data)
    reader = readers.detect_format(tmp_path / "said.json")[0]
    after = readers.read(reader, tmp_path / "said.json", images=tmp_path / "photos")
    for old, new in zip(data.images, after.images, strict=True):
        assert old.absent_of(data.categories) == new.absent_of(after.categories)
        assert old.not_exhaustive == new.not_exhaustive


def test_descriptions_of_people_stay(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    data = detections()
    objects = tuple(replace(item, descriptions=("this",)) for item in data.images[0].objects)
    run(tmp_path, replace(data, images=[replace(data.images[0], objects=objects)]))
    [image] = readers.read("coco", tmp_path / "said.json", images=tmp_path / "photos").images
    said = [item.descriptions for item in image.objects]
    assert said == [("this", "a brown dog.")] + [("this",)] * 3


@pytest.mark.parametrize("text", ["{}", "mine", '{"info": {}}', '{"info": 1}'])
def test_files_of_others_are_not_replaced(tmp_path: Path, speaker: Speaker, text: str) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png"])
    (tmp_path / "said.json").write_text(text)
    with pytest.raises(InputError, match="exists and is not pseudo-data, so it is not replaced"):
        run(tmp_path, detections())
    assert (tmp_path / "said.json").read_text() == text
    assert not speaker.questions


def test_pseudo_data_are_replaced_but_not_by_themselves(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png"])
    run(tmp_path, detections())
    run(tmp_path, detections())
    itself = readers.read("coco", tmp_path / "said.json")
    with pytest.raises(InputError, match="is what is read"):
        run(tmp_path, itself)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        describe(detections(), tmp_path / "photos", tmp_path / "folder", model="m")


def test_no_picture_can_be_read(tmp_path: Path, speaker: Speaker) -> None:
    with pytest.raises(InputError, match="no picture can be read"):
        run(tmp_path, detections())
    assert not (tmp_path / "said.json").exists()


def test_a_picture_that_cannot_be_read_is_listed(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["b.png"])
    (tmp_path / "photos/a.png").write_bytes(b"no picture")
    found = run(tmp_path, detections())
    assert found.kept == 1
    [(picture, reason)] = found.skipped.items()
    assert picture == "a.png"
    assert str(tmp_path / "photos/a.png") in reason
    assert json.loads((tmp_path / "said.json").read_text())["info"]["pseudo"]["skipped"]


def test_what_is_built_says_the_descriptions(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    run(tmp_path, detections())
    manifest = build_from_files(tmp_path / "said.json", tmp_path / "photos", tmp_path / "data")
    assert manifest.pseudo["model"] == "m"
    texts = [
        instruction.answer
        for conversation in read_dataset(tmp_path / "data")
        for instruction in conversation.instructions
        if instruction.objective == "revloc"
    ]
    assert sum("There is a brown dog" in text for text in texts) == 1
    assert sum("There is A tall tree" in text for text in texts) == 1


def test_the_papers_prompt_to_the_letter(tmp_path: Path, speaker: Speaker) -> None:
    """Self-training of arXiv 2404.07449, with the category of each object in its place."""
    photos(tmp_path / "photos", ["a.png", "b.png"])
    run(tmp_path, detections())
    assert speaker.questions[0] == (
        "Describe the dog in this image using one short sentence, referring to its visual features "
        "and spatial position relative to other objects in image."
    )


COUNTS = ("asked", "kept", "cut", "coordinates")


def test_all_are_kept_as_the_model_wrote_them(
    tmp_path: Path, speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what no text can hold is left out, and counted."""
    photos(tmp_path / "photos", ["a.png", "b.png"])
    monkeypatch.setitem(SAID, "dog", "There is a brown\ndog at (1,2,3,4).")
    monkeypatch.setitem(SAID, "tree", "A tree <image>")
    speaker.cut = {"bus", "tree"}
    found = run(tmp_path, detections(), keep_all=True)
    assert (found.asked, found.kept, found.cut, found.coordinates) == (3, 2, 1, 1)
    assert found.drops == {"descriptions with control tokens": 1}
    assert found.examples == {"descriptions with control tokens": ["tree: A tree <image>"]}
    after = readers.read("coco", tmp_path / "said.json", images=tmp_path / "photos")
    assert [item.descriptions for item in after.images[0].objects] == [
        ("There is a brown dog at (1,2,3,4).",),
        ("A dog next to a bus",),
        (),
        (),
    ]
    assert after.images[1].objects[0].descriptions == ()
    assert {name: after.pseudo[name] for name in (*COUNTS, "keep_all")} == {
        "keep_all": True,
        "asked": 3,
        "kept": 2,
        "cut": 1,
        "coordinates": 1,
    }
    run(tmp_path, detections())
    assert "keep_all" not in readers.read("coco", tmp_path / "said.json").pseudo


def test_from_descriptions_to_described_objects_alone(tmp_path: Path, speaker: Speaker) -> None:
    photos(tmp_path / "photos", ["a.png", "b.png", "c.png"])
    run(tmp_path, detections(), keep_all=True)
    options = BuildOptions(questions=QuestionOptions(described_only=True))
    data = tmp_path / "data"
    manifest = build_from_files(tmp_path / "said.json", tmp_path / "photos", data, options)
    assert manifest.pseudo["keep_all"]
    assert (manifest.counts["locpred"], manifest.counts["revloc"]) == (3, 3)
    said = [
        item.answer if item.objective == "revloc" else item.question
        for one in read_dataset(data)
        for item in one.instructions
        if item.objective != "negpred"
    ]
    for text in SAID.values():
        assert sum(text.rstrip(".") in each for each in said) == 2, "in locpred and revloc"
