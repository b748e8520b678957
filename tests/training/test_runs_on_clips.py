"""A LLaVA of pictures learns to read clips."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm import cli
from locvlm.errors import InputError
from locvlm.inference.predictor import Predictor
from locvlm.instructions.build_files import build_from_files
from locvlm.models.folders import ModelSettings
from locvlm.models.load import load_model
from locvlm.models.video_llava.model import PooledVideoLlavaForConditionalGeneration
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import check_recipe, train

RECIPE = """\
model: tiny-base
data: [clips]
out: out
frames: 3
options: {bins: 56}
lora: {rank: 2, alpha: 2}
stages:
  clips: {trains: adapter, steps: 2, images: 2, questions: {revloc: 2}}
  objects: {trains: adapter+lora, steps: 4, images: 2, questions: {locpred: 2, negpred: 2}}
"""


@pytest.fixture
def recipe(small_run: Path, tmp_path: Path) -> Path:
    """Of four noisy clips and a picture, on the small model."""
    noise = np.random.default_rng(0)
    document = json.loads((tmp_path / "instances.json").read_text())
    document["images"] = document["images"][:5]
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] <= 5]
    for image in document["images"][:4]:
        frames = [Image.fromarray(noise.integers(0, 256, (40, 60, 3), np.uint8)) for _ in range(4)]
        image["file_name"] = f"{image['id']}.gif"
        path = tmp_path / "images" / image["file_name"]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=200)
    (tmp_path / "clips.json").write_text(json.dumps(document))
    build_from_files(tmp_path / "clips.json", tmp_path / "images", tmp_path / "clips")
    path = tmp_path / "clips.yaml"
    path.write_text(RECIPE)
    return path


def losses(out: Path) -> list[float]:
    rows = [json.loads(line) for line in (out / "objects/log.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def test_it_learns_and_is_loaded_again(recipe: Path, tmp_path: Path) -> None:
    folder = train(recipe)
    assert ModelSettings.read(folder).frames == 3
    loaded = load_model(folder)
    assert isinstance(loaded.model, PooledVideoLlavaForConditionalGeneration)
    predictor = Predictor(loaded.model, loaded.processor, loaded.coordinates)
    clip = tmp_path / "images" / "1.gif"
    told = predictor.ask(clip, "What is it?")
    assert told == predictor.ask(predictor.open(clip), "What is it?")
    # An adapter for clips goes on as one, without being told
    goes_on = train(recipe, ["model=./out/model", "frames=0", "out=more"])
    assert ModelSettings.read(goes_on).frames == 3


def test_imported_questions_about_clips_are_learned(recipe: Path, tmp_path: Path) -> None:
    """From Video-ChatGPT's file to a model: `vid-b` on questions in the place of captions."""
    rows = [{"q": f"What is {n}?", "a": "Noise.", "video_id": f"{n}"} for n in (1, 2, 3, 4, 1)]
    (tmp_path / "chat.json").write_text(json.dumps(rows))
    images = ["--images", str(tmp_path / "images"), "--out", str(tmp_path / "chat")]
    command = ["import", str(tmp_path / "chat.json"), "--from", "video-chatgpt"]
    assert cli.main([*command, "--format", "ivb", *images]) == 0
    asked = [f"stages.{stage}.questions={{mixed: 5}}" for stage in ("clips", "objects")]
    folder = train(recipe, ["data=[chat]", "stages.objects.steps=2", *asked])
    assert ModelSettings.read(folder).frames == 3


@pytest.mark.parametrize("cache", ["true", "false"])
def test_a_bad_clip_and_a_bad_image_are_left_out(
    cache: str, recipe: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The clip is found before the first step, the image where it is met."""
    (tmp_path / "images" / "2.gif").write_bytes(b"GIF89a, cut")
    image = tmp_path / "images" / "5.png"
    image.write_bytes(image.read_bytes()[:60])
    train(recipe, [f"cache={cache}", "workers=0"])
    said = capfd.readouterr().err
    assert "2.gif: " in said, said
    assert "5.png" in said, said
    left_out = json.loads((tmp_path / "out" / "unreadable_clips.json").read_bytes())
    assert str(tmp_path / "images" / "2.gif") in left_out


@pytest.mark.parametrize("cache", ["true", "false"])
def test_a_clip_that_ends_early_is_shown_and_told(
    cache: str, recipe: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "images" / "2.gif"
    path.write_bytes(path.read_bytes()[:-2000])
    train(recipe, [f"cache={cache}", "workers=0"])
    said = capfd.readouterr().err
    assert "1 clips are odd, and are shown all the same:" in said
    assert f"{path}: is damaged or ends early; only what there is counts" in said


def test_nothing_can_be_read(recipe: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="1 of 1 pictures cannot be used; the last one: .*5.png"):
        train(recipe)


def test_encoding_once_changes_nothing(recipe: Path) -> None:
    train(recipe, ["precision=fp32"])
    train(recipe, ["precision=fp32", "cache=false", "out=fresh"])
    # features are kept in float16
    assert losses(Path("fresh")) == pytest.approx(losses(Path("out")), rel=1e-2)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["stages={n: {trains: naming, steps: 1}}"], "stage n: naming is for models that read pic"),
        (["parts={encoder: a/b, language: c/d}", "model="], "frames: a model learns to read clips"),
    ],
)
def test_what_clips_cannot_teach(recipe: Path, settings: list[str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_recipe(read_recipe(recipe, settings))
