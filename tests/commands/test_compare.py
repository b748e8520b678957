import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli
from locvlm.commands.compare import _table, compare
from locvlm.commands.figure_table import make_figure_table
from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.reports.differences import Difference
from locvlm.evaluation.reports.paired import RunComparison
from locvlm.evaluation.task import ScoredAnswer
from locvlm.evaluation.tasks import hal_coco
from locvlm.io.json_rows import write_json, write_rows
from locvlm.shown.screen import Screen
from locvlm.shown.terminal import shorten
from tests.mutating import mutate_json


def run(folder: Path, model: str, hits: list[bool]) -> str:
    rows = [
        ScoredAnswer(f"{i}/dog", "1.png", "Is it?", f"said {i}", "yes", {}, (), hit, {"yes": hit})
        for i, hit in enumerate(hits)
    ]
    folder.mkdir()
    write_rows(folder / run_files.SCORED, rows)
    result = {"task": "hal-coco", "model": model, "data": "d", "questions": 3, "pictures": 1}
    scores = hal_coco.TASK.summarize(rows, seed=0)
    write_json(folder / run_files.SCORES, {**result, "seed": 0, "options": {}, "scores": scores})
    return str(folder)


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = run(tmp_path / "a", "one", [True, False, True])
    b = run(tmp_path / "b", "two", [True, True, False])
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    out = tmp_path / "out"
    assert cli.main(["compare", a, b, "--images", str(tmp_path), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "only one is right: 1" in said
    assert "2/dog" in said
    assert "Says what is there: accuracy present 66.7 % → 66.7 % on 1 photo, too few" in " ".join(
        said.split()
    )
    page = (out / "report.html").read_text()
    assert '<li class="too few">Says what is there: accuracy present 66.7 % → 66.7 %' in page
    rows = [json.loads(line) for line in (out / "differences.jsonl").read_text().splitlines()]
    assert [(row["id"], row["right"]) for row in rows] == [("2/dog", "a"), ("1/dog", "b")]
    assert rows[0]["a"] == "said 2"

    assert cli.main(["compare", a, b, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["models"] == ["one", "two"]
    assert found["scores"]["accuracy"]["difference"] == 0
    assert (found["only a"], found["only b"], found["both"], found["neither"]) == (1, 1, 1, 0)


def test_names_are_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = run(tmp_path / "a", "m[/b]", [True, False, True])
    b = run(tmp_path / "b", "[red]\x1b[2J", [True, True, False])
    assert cli.main(["compare", a, b]) == 0
    said = capsys.readouterr().out
    assert "m[/b] → [red]\\x1b[2J" in " ".join(said.split())
    assert "only [red]\\x1b[2J is right: 1" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("width", [60, 80, 200])
def test_words_and_numbers_stay_whole(width: int) -> None:
    names = ["accuracy", "left-right/direct/strict accuracy", "unseen pictures/accuracy present"]
    apart = Difference(0.5, 0.75, 0.123, 0.377, 9999, images=400, changed=100)
    long = ("runs/first/model", "runs/second/model")
    found = RunComparison("hal-coco", long, dict.fromkeys(names, apart), [], [], 0, 0)
    out = StringIO()
    screen = Screen(file=out, width=width)
    screen.print(_table(found, screen))
    said = out.getvalue()
    for word in re.split(r"[\s/]+", " ".join(names)):
        assert re.search(rf"(?<![\w-]){word}(?![\w-])", said), word
    for figure in ("0.500 → 0.750", "+0.250*", "+0.123 … +0.377", "difference", "9999"):
        assert figure in said
    assert max(map(len, said.splitlines())) <= width


def test_columns_that_can_be_spared_are_named() -> None:
    screen = Screen(width=24)
    table = make_figure_table(screen, "t", ("", "value", "n"), [("one", 18 * "1", "7")], spare="n")
    assert [column.header for column in table.columns] == ["", "value"]
    assert table.caption == "too narrow for: n"


def test_equal_answers_are_no_proof_of_equal_models() -> None:
    same = Difference(0.5, 0.5, 0.0, 0.0, 80, images=40, changed=0)
    assert same.interval == (-0.075, 0.075)
    assert replace(same, kind="points").interval == (0, 0)
    assert replace(same, images=0).interval == (0, 0)
    assert replace(same, high=0.2, changed=5).interval == (-0.075, 0.2)
    assert replace(same, high=0.2, changed=6).interval == (0, 0.2)


def test_prompts_keep_both_ends() -> None:
    assert shorten("Where is the dog?") == "Where is the dog?"
    short = shorten("Where is the dog, " + 40 * "and so on " + "or not?")
    assert short.startswith("Where is the dog, and")
    assert short.endswith("or not?")
    assert len(short) <= 120


def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(tmp_path), str(tmp_path)]) == 2
    assert "scores.json: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("name", [run_files.SCORES, run_files.SCORED])
def test_runs_that_were_changed(name: str, tmp_path: Path) -> None:
    a = Path(run(tmp_path / "a", "one", [True, False, True]))
    b = Path(run(tmp_path / "b", "two", [True, True, False]))
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    first, *rest = (b / name).read_bytes().splitlines(keepends=True)
    if name == run_files.SCORES:
        first, rest = b"".join((first, *rest)), []
    tree = json.loads(first)
    if name == run_files.SCORED:
        tree |= {"found": [1, 2, 3, 4], "marks": [{"label": "dog", "coords": [1, 2, 3, 4]}]}
    refused = 0
    for number, data in enumerate(mutate_json(tree)):
        (b / name).write_bytes(b"".join((data.rstrip(), b"\n", *rest)))
        try:
            compare(a, b, images=tmp_path, out=tmp_path / f"out{number}")
        except InputError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1
    assert refused > number / 2
