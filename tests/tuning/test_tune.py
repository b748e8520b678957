"""The whole way of a first user: a folder of photos and boxes becomes a verdict in words."""

import json
import re
import shlex
from pathlib import Path

import pytest

from locvlm import cli
from locvlm.instructions.dataset import read_dataset, read_objects
from locvlm.models import tiny
from locvlm.models.load import Loaded
from tests.tuning.conftest import PHOTOS, digests, write_yolo
from tests.tuning.machine import Machine, leave_out_drawing, make_machine

# The tests' small model sees 56 pixels, and two steps are enough to have learned something
SMALL = ("--model", "tiny-base", "--set", "options.bins=56", "stages.tuning.steps=2")


def run(shop: Path, out: Path, *words: str) -> int:
    images = str(shop.parent / "images")
    return cli.main(["tune", str(shop), "--images", images, "--out", str(out), *words])


def test_the_walk_ends_with_a_verdict(
    shop: Path,
    small_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tiny, "base_folder", lambda: small_base)
    monkeypatch.chdir(tmp_path)
    before, out = digests(shop.parent), tmp_path / "run"
    assert run(shop, out, *SMALL, "--minutes", "20") == 0
    printed = capsys.readouterr().out
    assert digests(shop.parent) == before
    # val is asked about, and never learned from
    learned = {item.image for item in read_dataset(out / "data")}
    val = {image.file_name for image in read_objects(out / "data", "val").images}
    assert len(val) == PHOTOS["val"]
    assert learned and not learned & val
    rows = (out / "after/locate/scored.jsonl").read_text().splitlines()
    assert {json.loads(row)["image"] for row in rows} <= val
    # the verdict, on the screen, in the page and in the folder's own words
    proof = json.loads((out / "proof/proof.json").read_text())
    assert {task["task"] for task in proof["tasks"]} >= {"locate", "describe"}
    page, readme = ((out / name).read_text() for name in ("proof/proof.html", "README.md"))
    for verdict in proof["verdicts"]:
        assert verdict["sentence"] in " ".join(printed.split())
        assert verdict["sentence"] in readme
    assert "training/model" in readme
    assert page
    assert (out / "training/model/adapter_model.safetensors").is_file()
    # the single commands are ones
    lines = re.findall(r"^ +\$ (locvlm .*)$", printed, re.MULTILINE)
    words = [shlex.split(line)[1] for line in lines]
    assert [*dict.fromkeys(words)] == ["build", "inspect", "eval", "train", "prove"]


@pytest.fixture
def machine(small_model: Loaded, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = make_machine(small_model, monkeypatch)
    leave_out_drawing(monkeypatch)
    return made


@pytest.mark.slow
def test_the_same_line_goes_on_and_another_is_refused(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, out = write_yolo(tmp_path / "shop"), tmp_path / "run"
    left = iter(range(1))
    machine.killed = lambda: next(left, None) is None
    assert run(shop, out) == 130
    machine.killed = lambda: False
    assert run(shop, out, "--seed", "3") == 2
    assert "--seed 0, not 3; go on with its own line" in capsys.readouterr().err
    assert run(shop, out) == 0
    made = digests(out)
    machine.asked.clear()
    assert run(shop, out) == 0
    assert machine.asked == {}
    assert {name for name, of in digests(out).items() if made[name] != of} <= {"README.md"}


@pytest.mark.slow
def test_further_seeds_train_and_ask_again(machine: Machine, tmp_path: Path) -> None:
    shop, out = write_yolo(tmp_path / "shop"), tmp_path / "run"
    assert run(shop, out, "--seeds", "3") == 0
    assert [read.seed for read in machine.trained[1:]] == [0, 1, 2]
    assert {path.name for path in out.glob("proof*")} == {"proof", "proof-2", "proof-3"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", "0"), "--seeds must be at least 1"),
        (("--hold-out", "1.5"), "--hold-out 1.5: not a share"),
        (("--minutes", "0"), "--minutes 0: give more than 0"),
        (("--split", "nosuch"), "nosuch"),
        (("--model", "tinny"), "tinny"),
        (("--names", "nosuch.txt"), "nosuch.txt"),
        (("--objectives", "nosuch"), "nosuch"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    machine: Machine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    assert run(write_yolo(tmp_path / "shop"), tmp_path / "run", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("locvlm: error") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_line_that_was_refused_can_be_mended(machine: Machine, tmp_path: Path) -> None:
    """A misspelt split, objective or file does not take the folder."""
    shop, out = write_yolo(tmp_path / "shop"), tmp_path / "run"
    for words in (("--split", "tset"), ("--objectives", "nosuch")):
        assert run(shop, out, *words) == 2
    assert run(shop.with_name("dota.yaml"), out) == 2
    assert run(shop, out) == 0


def test_a_misspelt_model_is_told_before_the_build(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write_yolo(tmp_path / "shop"), tmp_path / "run", "--model", "tinny") == 2
    assert "locvlm build" not in capsys.readouterr().out


def test_held_out_photos_without_a_box_are_the_reason(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = write_yolo(tmp_path / "shop")
    for path in (tmp_path / "shop/labels/val").glob("*.txt"):
        path.write_text("")
    assert run(shop, tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert f"none of the {PHOTOS['val']} photos of split val has a box" in said
    assert "coco-spatial" not in said


def test_too_few_minutes_are_said_before_the_training_and_more_go_on(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.visit, machine.answer = 6, 0.5
    shop, out = write_yolo(tmp_path / "shop"), tmp_path / "run"
    assert run(shop, out, "--minutes", "1") == 2
    said = capsys.readouterr().err
    asked, timed = machine.asked["tiny"], len(machine.trained)
    minutes = said.partition("type --minutes ")[2].partition(":")[0]
    assert f"--minutes 1: even the least that says anything takes about {minutes} min" in said
    assert timed == 1  # the one that is thrown away
    assert run(shop, out, "--minutes", minutes) == 0
    assert len(machine.trained) == 2
    assert machine.asked["tiny"][: len(asked)] == asked  # none of it is asked again
    assert machine.now <= 60 * int(minutes)


def test_words_of_ones_own(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop, names = write_yolo(tmp_path / "shop"), tmp_path / "names.txt"
    names.write_text("person: human being\n")
    assert run(shop, tmp_path / "run", "--names", str(names)) == 0
    said = capsys.readouterr().out
    assert f"--names {names}" in said
    assert " leaves out " in said  # build's own counts
    assert any("human being" in text for of in machine.asked["tuned"] for text in of)
    built = str(tmp_path / "run/data")
    assert cli.main(["tune", built, "--names", str(names), "--out", str(tmp_path / "two")]) == 2
    assert "is built already" in capsys.readouterr().err
