"""What must not be lost: every command's output at the place of a user's files, and of its inputs.

All is refused before the work, in one line, and no file is another afterwards.
"""

import hashlib
import json
import os
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli

CATEGORIES = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with photos, annotations, a recipe, and what commands have made of them."""
    home = tmp_path_factory.mktemp("home")
    (home / "photos").mkdir()
    images, boxes = [], []
    for number, name in enumerate(("a.jpg", "01-a.png", "02-b.png"), 1):
        Image.new("RGB", (64, 48), (40 * number, 90, 60)).save(home / "photos" / name)
        images.append({"id": number, "file_name": name, "width": 64, "height": 48})
        boxes += [
            {"id": 2 * number, "image_id": number, "category_id": 1, "bbox": [4, 4, 20, 20]},
            {"id": 2 * number + 1, "image_id": number, "category_id": 2, "bbox": [30, 8, 20, 20]},
        ]
    whole = {"images": images, "annotations": boxes, "categories": CATEGORIES}
    (home / "ann.json").write_text(json.dumps(whole))
    (home / "pictures").mkdir()
    shutil.copy(home / "photos" / "a.jpg", home / "pictures" / "01-hit.jpg")
    for name in ("table.md", "report.md", "train.jsonl", "notes.txt"):
        (home / name).write_text('{"mine": 1}\n')
    (home / "llava.json").write_text('[{"id": "0", "image": "a.jpg", "conversations": []}]')
    (home / "recipe.yaml").write_text(
        f"model: tiny\ndata: [{home / 'data'}]\nout: {home / 'run'}\n"
        "stages:\n  a: {trains: adapter, steps: 1, images: 1}\n"
    )
    record = {"image": "a.jpg", "width": 64, "height": 48, "prompt": "at (4,4,20,20)"}
    (home / "talk.jsonl").write_text(json.dumps(record) + "\n")
    (home / "answers.jsonl").write_text('{"id": "1", "answer": "no"}\n')
    os.link(home / "talk.jsonl", home / "hard.jsonl")
    (home / "link.jsonl").symlink_to("talk.jsonl")
    (home / "loop").symlink_to("pool")
    (home / "pool").symlink_to("loop")
    with chdir(home):
        assert cli.main([*BUILD, "--out", "data"]) == 0
    return home


ANN = ["--annotations", "ann.json", "--images", "photos"]
BUILD = ["build", *ANN]
EVAL = ["eval", "--model", "tiny", "--task", "locate", *ANN, "--out"]
EXPORT = ["export", "data", "--to"]
IMPORT = ["import", "talk.jsonl", "--from", "trl", "--format", "ivb", "--images", "photos"]
PSEUDO = ["pseudo", "describe", *ANN, "--out"]
CASES = [
    [*BUILD, "--out", "photos"],
    [*BUILD, "--out", "."],
    [*BUILD, "--out", "ann.json"],
    [*BUILD, "--out", "loop"],
    ["build", "--annotations", "data", "--out", "data"],
    [*EVAL, "."],
    [*EVAL, "photos"],
    [*EVAL, "data"],
    [*EVAL, "loop/run"],
    ["eval", "--model", "tiny", "--suite", "location", *ANN, "--out", "."],
    ["prove", "tiny", "tiny-control", *ANN, "--out", "."],
    ["score", "locate", "--predictions", "answers.jsonl", *ANN, "--out", "."],
    ["questions", "locate", *ANN, "--out", "ann.json"],
    ["questions", "locate", *ANN, "--out", "train.jsonl"],
    ["questions", "locate", *ANN, "--out", "photos/a.jpg"],
    ["inspect", "data", "--out", "photos"],
    ["inspect", "data", "--out", "data"],
    ["inspect", "data", "--out", "."],
    [*EXPORT, "parquet", "--out", "data/instructions.parquet"],
    [*EXPORT, "parquet", "--out", "data/objects.parquet"],
    [*EXPORT, "llava", "--out", "data/manifest.json"],
    [*EXPORT, "llava", "--out", "llava.json"],
    [*EXPORT, "trl", "--out", "train.jsonl"],
    [*EXPORT, "qwen", "--format", "qwen3-vl", "--out", "ann.json"],
    [*EXPORT, "webdataset", "--out", "photos"],
    [*EXPORT, "webdataset", "--out", "."],
    [*IMPORT, "--out", "photos"],
    ["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "talk.jsonl"],
    ["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "hard.jsonl"],
    ["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "link.jsonl"],
    ["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "train.jsonl"],
    ["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "loop"],
    ["train", "recipe.yaml", "--set", "out=data"],
    ["train", "recipe.yaml", "--set", "out=photos"],
    ["train", "recipe.yaml", "--set", "out=."],
    ["tune", "ann.json", "--images", "photos", "--out", "photos"],
    ["tune", "ann.json", "--images", "photos", "--out", "."],
    ["tune", "data", "--out", "data"],
    ["demo", "--out", "."],
    ["demo", "--out", "photos"],
    [*PSEUDO, "ann.json"],
    [*PSEUDO, "llava.json"],
    [*PSEUDO, "photos"],
    ["pseudo", "detect", "--images", "photos", "--out", "ann.json"],
    ["pseudo", "animate", *ANN, "--out", "photos"],
    ["pseudo", "animate", *ANN, "--out", "."],
    ["locate", "photos/a.jpg", "dog", "--save", "photos/a.jpg"],
    ["locate", "photos/a.jpg", "dog", "--save", "photos/01-a.png"],
    ["ask", "photos/a.jpg", "who?", "--save", "pictures/01-hit.jpg"],
    ["describe", "photos/a.jpg", "--point", "9,9", "--save", "notes.txt"],
    ["merge", "tiny", "--out", "photos"],
    ["merge", "tiny", "--out", "photos", "--overwrite"],
    ["shrink", "tiny", "--rank", "1", "--out", "."],
]


def hashes(folder: Path) -> dict[str, str]:
    """Of all files and links below."""
    return {
        str(path): str(path.readlink())
        if path.is_symlink()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("command", CASES, ids=" ".join)
def test_nothing_of_the_users_is_lost(
    command: list[str],
    made: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(made)
    before = hashes(made)
    assert cli.main(command) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(said) == 1, said
    assert hashes(made) == before


RERUNS: list[tuple[list[str], str]] = [
    ([*BUILD, "--out", "new"], "new"),
    (["inspect", "data", "--count", "1", "--out", "looks"], "looks"),
    (["questions", "locate", *ANN, "--format", "ivb", "--out", "asked.jsonl"], "asked.jsonl"),
    *(([*EXPORT, to, "--out", f"as.{to}"], f"as.{to}") for to in ("llava", "swift", "trl")),
    ([*EXPORT, "qwen", "--format", "qwen3-vl", "--out", "as.qwen"], "as.qwen"),
    ([*EXPORT, "parquet", "--out", "as.parquet"], "as.parquet"),
    ([*EXPORT, "webdataset", "--out", "shards"], "shards"),
    (["convert", "--from", "ivb", "--to", "nfp", "talk.jsonl", "nfp.jsonl"], "nfp.jsonl"),
]


@pytest.mark.parametrize(("command", "out"), RERUNS, ids=[" ".join(run) for run, _ in RERUNS])
def test_the_same_again_gives_the_same(
    command: list[str], out: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill at the very end; what else is there stays."""
    monkeypatch.chdir(made)
    before = hashes(made)
    assert cli.main(command) == 0
    first = hashes(made)
    assert cli.main(command) == 0
    assert hashes(made) == first
    assert {name: first[name] for name in before} == before
    path = made / out
    shutil.rmtree(path) if path.is_dir() else path.unlink()
