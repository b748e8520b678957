"""One bad picture is one bad picture: every command names it and does the others."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli
from locvlm.instructions.visible import UNSEEN_QUESTIONS
from tests import families
from tests.media.bad_images import BAD_IMAGES, encode

GOOD = 12
SIZE = (64, 48)
GONE = {"folder", "dangling link"}  # no files: readers leave them out


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a LLaVA and a Qwen3-VL, which refuses narrow pictures."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("llava", "qwen3_vl"):
        for part in families.build(name):
            part.save_pretrained(folder / name)
    return {name: folder / name for name in ("llava", "qwen3_vl")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Good pictures, one of each bad kind, one of another shape, and one that is too narrow.

    The data set `data` was built while all could be used. Whatever starts a `gs` is told.
    """
    monkeypatch.chdir(tmp_path)
    _put_ghostscript(tmp_path, monkeypatch)
    Path("images").mkdir()
    sizes = {f"good {number}": SIZE for number in range(GOOD)}
    sizes |= {**dict.fromkeys(BAD_IMAGES, SIZE), "other shape": SIZE, "narrow": (1, 400)}
    _write_annotations(sizes)
    for name, size in sizes.items():
        Image.new("RGB", size, "grey").save(f"images/{name}.jpg", "PNG")
    assert cli.main(["build", *GIVEN, "--out", "data", "--objectives", "locpred,revloc"]) == 0
    for kind, (make, _) in BAD_IMAGES.items():
        path = Path(f"images/{kind}.jpg")
        path.unlink()
        make(path)
    Path("images/other shape.jpg").write_bytes(encode("JPEG", (32, 40)))
    yield tmp_path
    assert not Path("gs was started").exists()


GIVEN = ("--annotations", "coco.json", "--images", "images")


def _put_ghostscript(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{folder}/gs was started'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def _write_annotations(sizes: dict[str, tuple[int, int]]) -> None:
    images = [
        {"id": i, "file_name": f"{name}.jpg", "width": width, "height": height}
        for i, (name, (width, height)) in enumerate(sizes.items())
    ]
    boxes = [
        {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, "area": w * h / 4,
         "bbox": [w / 4, h / 4, w / 2, h / 2]}
        for i, (w, h) in enumerate(sizes.values())
    ]  # fmt: skip
    kinds = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    coco = {"images": images, "annotations": boxes, "categories": kinds}
    Path("coco.json").write_text(json.dumps(coco))


def _named(said: str, *also: str, without: set[str] | frozenset[str] = frozenset()) -> None:
    """Each bad picture is named with its reason, and none of the good."""
    skipped = [line for line in said.splitlines() if "skipped:" in line]
    for kind, (_, words) in BAD_IMAGES.items():
        if kind not in without:
            assert any(f"{kind}.jpg" in line and words in line for line in skipped), kind
    for name in also:
        assert any(f"{name}.jpg" in line for line in skipped), name
    assert not any("good" in line for line in skipped)


@pytest.fixture(autouse=True)
def all_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the first twenty alone."""
    monkeypatch.setattr("locvlm.commands.skipped.LISTED", 99)
    monkeypatch.setattr("locvlm.training.data.skipped_images.LISTED", 99)


@pytest.mark.parametrize("name", ["llava", "qwen3_vl"])
def test_commands_with_a_model(
    name: str, folder: Path, models: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    model, narrow = ["--model", str(models[name])], ["narrow"] * (name == "qwen3_vl")
    hidden = name == "llava"  # it takes the narrow one, and sees one pixel of its dog's 200
    capfd.readouterr()
    assert cli.main(["inspect", "data", *model, "--out", "seen", "--count", "99"]) == 0
    said = capfd.readouterr()
    assert f"{GOOD} samples" in said.out
    _named(said.err, "other shape", *narrow)
    assert (f"{UNSEEN_QUESTIONS}: 2 of " in said.err) == hidden

    task = ["eval", *model, "--task", "locate", *GIVEN, "--out", "answers"]
    assert cli.main(task) == 0
    _named(capfd.readouterr().err, "other shape", *narrow, without=GONE)
    scores = json.loads(Path("answers/scores.json").read_text())
    assert scores["pictures"] == GOOD
    assert scores["skipped"].get(UNSEEN_QUESTIONS, 0) == hidden
    bad = len(BAD_IMAGES) - len(GONE) + 1 + len(narrow)
    assert scores["skipped"]["pictures that cannot be read"] == len(scores["unreadable"]) == bad

    assert cli.main(["pseudo", "describe", *GIVEN, *model, "--out", "words.json"]) == 0
    _named(capfd.readouterr().err, "other shape", *narrow, without=GONE)

    for kind, words in (("eps", "EPS"), ("wide bomb", "one side is more than"), ("empty", "empty")):
        assert cli.main(["locate", f"images/{kind}.jpg", "dog", *model]) == 2
        (line,) = capfd.readouterr().err.splitlines()[-1:]
        assert line.startswith(f"locvlm: error: images/{kind}.jpg: not a readable picture")
        assert words in line


@pytest.mark.parametrize(
    ("name", "more"), [("llava", ""), ("llava", "cache: false\n"), ("qwen3_vl", "max_pixels: 6000")]
)
def test_train(
    name: str,
    more: str,
    folder: Path,
    models: dict[str, Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    Path("recipe.yaml").write_text(
        f"model: {models[name]}\ndata: [data]\nout: run\n{more}\nlora: {{rank: 2, alpha: 2}}\n"
        "stages:\n  one: {trains: lora, steps: 20, images: 2, questions: {locpred: 1}}\n"
    )
    assert cli.main(["train", "recipe.yaml"]) == 0
    said = capfd.readouterr()
    assert "Trained: run/model" in said.out
    _named(said.err, "other shape", *(["narrow"] * (name == "qwen3_vl")), without=GONE)
    for kind in GONE:  # files that are no longer there
        assert f"skipped: images/{kind}.jpg: gone or renamed" in said.err.replace(f"{folder}/", "")


def test_commands_without_a_model(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    build = ["build", *GIVEN, "--objectives", "locpred", "--check", "pixels", "--out", "checked"]
    assert cli.main(build) == 0
    said = capfd.readouterr()
    assert f"{GOOD + 1} pictures" in said.out
    _named(said.err, "other shape", without=GONE)
    assert "pictures whose file is missing: 2 (the first: folder.jpg)" in said.out

    assert cli.main(["pseudo", "detect", "--images", "images", "--out", "found.json"]) == 0
    said = capfd.readouterr()
    assert re.search(rf"^{GOOD + 2} pictures", said.out, re.M)  # of any shape
    _named(said.err, without={"folder"})

    clips = ["pseudo", "animate", *GIVEN, "--out", "clips", "--side", "32"]
    assert cli.main(clips) == 0
    said = capfd.readouterr()
    assert f"{GOOD + 1} clips" in said.out
    _named(said.err, "other shape", without=GONE)


DEEP = {"png checksum"}  # neither its header nor its end tells
HEADERS = DEEP | {"cut jpeg", "half jpeg", "cut png", "float", "odd tiff"}


def test_commands_that_decode_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What neither a file's header nor its end tells is handed on as it is."""
    for to in ("llava", "trl"):
        assert (
            cli.main(["export", "data", "--to", to, "--format", "ivb", "--out", f"{to}.json"]) == 0
        )
        said = capfd.readouterr()
        assert f"{GOOD + 1 + len(DEEP)} pictures" in said.out
        _named(said.err, "other shape", without=DEEP)
    kept = json.loads(Path("llava.json").read_text())
    bad = [kept[0] | {"image": f"{kind}.jpg"} for kind in BAD_IMAGES]
    rows = [{k: v for k, v in row.items() if k not in ("width", "height")} for row in kept + bad]
    Path("all.json").write_text(json.dumps(rows))
    form = ["--format", "ivb", "--images", "images", "--out", "imported"]
    assert cli.main(["import", "all.json", "--from", "llava", *form]) == 0
    said = capfd.readouterr()
    _named(said.err, without=DEEP | GONE)
    unread = len(BAD_IMAGES) - len(DEEP) - len(GONE)
    assert f"records whose picture cannot be used: {unread}" in said.out
    form = ["--from", "ivb", "--to", "nfp", "--images", "images"]
    assert cli.main(["convert", "all.json", "converted.json", *form]) == 0
    said = capfd.readouterr()
    sizeless = len(BAD_IMAGES) - len(HEADERS) - len(GONE)  # convert asks for sizes alone
    assert f"records with locations whose picture cannot be read: {sizeless}" in said.err
    assert "the first of these pictures: all.json, line" in said.err
    assert len(json.loads(Path("converted.json").read_text())) == len(rows)
