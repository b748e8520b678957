"""`locvlm export` and `locvlm import`, one after the other, from the command line."""

import json
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli
from locvlm.instructions.dataset import read_dataset
from tests.command_line import fails_with_one_line

IMPORT = ("import", "--from", "llava", "--format", "ivb")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with detections of one picture, and a data set `data` built from them."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Image.new("RGB", (448, 448)).save("photos/a.png")
    detections = {
        "images": [{"id": 1, "file_name": "a.png", "width": 448, "height": 448}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [8, 104, 18, 22]}],
    }
    Path("detections.json").write_text(json.dumps(detections))
    build = ["build", "--annotations", "detections.json", "--images", "photos", "--out", "data"]
    assert cli.main([*build, "--objectives", "locpred,revloc"]) == 0
    return tmp_path


def test_out_and_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    out = ["--to", "llava", "--out", "out.json", "--format", "ivb", "--set", "bins=448"]
    assert cli.main(["export", "data", *out]) == 0
    said = capsys.readouterr().out
    assert said == "1 pictures, 2 questions; locations in ivb bins=448\nout.json\n"
    assert "(8,104,26,126)" in Path("out.json").read_text()
    back = ["--format", "ivb", "--set", "bins=448", "--images", "photos", "--out", "back"]
    assert cli.main(["import", "out.json", "--from", "llava", *back]) == 0
    assert capsys.readouterr().out == "1 conversations, 2 instructions\nback\n"
    [ours], [theirs] = read_dataset(Path("data")), read_dataset(Path("back"))
    for a, b in zip(ours.instructions, theirs.instructions, strict=True):
        assert (a.question, a.answer, a.locations) == (b.question, b.answer, b.locations)


def test_what_is_left_out_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"prompt": "<image>{loc}", "completion": "there"},
        {"prompt": "?", "completion": "(1,2,3)"},
    ]
    Path("in.jsonl").write_text("\n".join(json.dumps(x | {"images": ["a.png"]}) for x in lines))
    arguments = ["--from", "trl", "--format", "ivb", "--images", "photos", "--out", "back"]
    assert cli.main(["import", "in.jsonl", *arguments]) == 0
    said = capsys.readouterr().out
    assert "left out, questions with a {loc} or {repr} of their own: 1" in said
    assert "no ivb location, kept as text: 1" in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["export", "data", "--to", "llava", "--out", "o", "--set", "bins=3"], "give --format"),
        (["export", "data", "--to", "llava", "--out", "o", "--with-images"], "--with-images goes"),
        (["export", "data", "--to", "none", "--out", "o"], "--to"),
        (["export", "photos", "--to", "llava", "--out", "o"], "no data set here"),
        (
            [*IMPORT, "detections.json", "--images", "photos", "--out", "o"],
            "line 1: not a record with text",
        ),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], problem: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert problem in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not Path("o").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "data", "--model", "tiny", "--out", "looks"),
        ("export", "data", "--to", "trl", "--out", "out.jsonl"),
        ("train", "own.yaml"),
    ],
)
def test_other_images_are_refused_wherever_a_data_set_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    Path("others").mkdir()
    Image.new("RGB", (448, 448), "red").save("others/a.png")
    stage = "{trains: lora, steps: 1, questions: {locpred: 1}}"
    Path("own.yaml").write_text(f"model: tiny\ndata: [data]\nout: run\nstages:\n  a: {stage}\n")
    capsys.readouterr()
    line = fails_with_one_line(capsys, *command, "--images", "others")
    assert "others: holds other images than those of" in line
    assert "a.png has" in line
    assert {path.name for path in folder.iterdir()} == {
        *("photos", "others", "data", "detections.json", "own.yaml")
    }


def test_a_data_set_is_read_with_images_that_were_moved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos").rename("elsewhere")
    Path("data").rename("mine")
    moved = ("--images", "elsewhere")
    assert cli.main(["export", "mine", "--to", "trl", "--out", "out.jsonl", *moved]) == 0
    row = json.loads(Path("out.jsonl").read_text().splitlines()[0])
    assert row["images"] == [str(folder / "elsewhere/a.png")]
    assert cli.main(["inspect", "mine", "--model", "tiny", "--out", "looks", *moved]) == 0
    capsys.readouterr()
    words = fails_with_one_line(capsys, "inspect", "mine", "--words", "--images", "elsewhere")
    assert "--words looks at no pictures" in words


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (
            "trl",
            "locations in ivb bins=224 (the default: trl does not say for which model; --model",
        ),
        ("llava", "locations in ivb bins=224 (the default: llava does not say"),
        ("swift", "locations as numbers\n"),
    ],
)
def test_a_format_that_nobody_chose_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], to: str, said: str
) -> None:
    capsys.readouterr()
    assert cli.main(["export", "data", "--to", to, "--out", "out.json"]) == 0
    assert said in capsys.readouterr().out


def test_qwens_dialect_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    command = ("export", "data", "--to", "qwen", "--out", "new/below/out.json")
    line = fails_with_one_line(capsys, *command)
    assert "give --model, or --format qwen3-vl or qwen2.5-vl or qwen2-vl" in line
    assert not Path("new").exists()
    assert cli.main([*command, "--format", "qwen3-vl"]) == 0
    assert "locations in qwen3-vl" in capsys.readouterr().out
    assert "bbox_2d" in Path("new/below/out.json").read_text()
