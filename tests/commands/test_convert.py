"""`locvlm convert` from the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli

LINE = '{"prompt":  "the \\u00e9 at (4,52,13,63)", "image": "a.png"}\n'
AS_NFP = LINE.replace("(4,52,13,63)", "(0.0179,0.2321,0.0580,0.2812)")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A data set of one record, beside its picture."""
    Image.new("RGB", (512, 512)).save(tmp_path / "a.png")
    path = tmp_path / "in.jsonl"
    path.write_text(LINE)
    return path


def convert(*arguments: str | Path) -> int:
    return cli.main(["convert", "--from", "ivb", "--to", "nfp", *map(str, arguments)])


def test_files(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = file.with_name("out.jsonl")
    assert convert(file, out) == 0
    assert out.read_text() == AS_NFP
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 records: 1 locations rewritten, 0 clipped" in said.err
    assert "left as they were" not in said.err


def test_the_report_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(LINE + '{"prompt": "(1,2,3)", "width": 9, "height": 9}\n')
    assert convert(file, file.with_name("out"), "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {
        "records": 2,
        "rewritten": 1,
        "clipped": 0,
        "unparsed": 1,
        "unwritable": 0,
        "unwanted": 0,
        "placeholders": 0,
        "unreadable": 0,
        "without_size": 0,
    }
    assert "left as they were, groups of numbers that are no ivb location: 1" in said.err
    assert "'(1,2,3)' (" in said.err
    assert "line 2)" in said.err


def test_options_of_both_formats(file: Path, tmp_path: Path) -> None:
    arguments = ["--from", "ivb", "--to", "ivb", "--from-set", "bins=112", "--to-set", "bins=336"]
    assert cli.main(["convert", *arguments, str(file), str(tmp_path / "out")]) == 0
    assert "(12,156,39,189)" in (tmp_path / "out").read_text()


@pytest.mark.parametrize("places", [["--images", "photos"], ["--size-columns", "w, h"]])
def test_sizes_from_elsewhere(places: list[str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Image.new("RGB", (512, 512)).save("photos/a.png")
    Path("in.jsonl").write_text(LINE.replace("}", ', "w": 512, "h": 512}'))
    assert convert("in.jsonl", "out.jsonl", *places) == 0
    assert "(0.0179,0.2321,0.0580,0.2812)" in Path("out.jsonl").read_text()


def stream(text: bytes, tmp_path: Path, *, read: int) -> tuple[int, bytes, bytes]:
    """Exit code, the first `read` bytes of the output, and the errors of a converting process."""
    (tmp_path / "stdin").write_bytes(text)
    arguments = ["-m", "locvlm", "convert", "--from", "ivb", "--to", "nfp", "-", "-"]
    with (
        (tmp_path / "stdin").open("rb") as file,
        (tmp_path / "stderr").open("wb") as errors,
        subprocess.Popen(
            [sys.executable, *arguments], stdin=file, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        out = process.stdout.read(read)
        process.stdout.close()
        code = process.wait(60)
    return code, out, (tmp_path / "stderr").read_bytes()


SIZED = LINE.replace("}", ', "width": 512, "height": 512}').encode()


def test_standard_input_and_output(tmp_path: Path) -> None:
    code, out, err = stream(SIZED * 3, tmp_path, read=-1)
    assert code == 0
    assert out == SIZED.replace(b"(4,52,13,63)", b"(0.0179,0.2321,0.0580,0.2812)") * 3
    assert b"3 records: 3 locations rewritten" in err


def test_who_reads_the_output_may_stop(tmp_path: Path) -> None:
    code, _, err = stream(SIZED * 2000, tmp_path, read=10)
    assert code == 1
    assert b"Traceback" not in err
    assert b"Exception ignored" not in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["in.jsonl", "-", "--json"], "give OUT a name"),
        (["in.jsonl", "out", "--size-columns", "width"], "give two names"),
        (["in.jsonl", "out", "--size-columns", "w,"], "give two names"),
        (["in.jsonl", "out", "--to-set", "bins=3"], "nfp has no option 'bins'"),
        (["in.jsonl", "out", "--from", "none"], "unknown coordinate format 'none'"),
        (["missing", "out"], "missing: cannot be read"),
        (["in.jsonl", "out"], "in.jsonl, line 2: not a JSON record"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], problem: str, file: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(file.parent)
    file.write_text(LINE + "no JSON\n")
    assert convert(*arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert problem in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not Path("out").exists()
