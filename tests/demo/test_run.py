"""The demo from end to end, with a model that answers at random and a training that only draws.

Both take time by a clock of the test's own, so that a machine may be as slow as one likes.
"""

import json
import re
from pathlib import Path

import pytest

from locvlm import cli
from locvlm.demo import run
from locvlm.errors import InputError
from locvlm.models.load import Loaded
from tests.tuning.machine import Machine, leave_out_drawing, make_machine

WHOLE = 1412  # questions to each model
STEPS = 200  # 20 visits of 40 photos, 4 at a time


@pytest.fixture
def machine(small_model: Loaded, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """On which `locvlm demo` does its light parts alone."""
    return make_machine(small_model, monkeypatch)


@pytest.fixture
def undrawn(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The same without most of the drawing."""
    leave_out_drawing(monkeypatch)
    return machine


def test_the_demo_ends_in_a_verdict(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert cli.main(["demo", "--out", str(out)]) == 0
    page = (out / "proof/proof.html").read_text()
    for word in ("tiny-stage1", "locate", "CC BY", "flickr.com"):
        assert word in page
    assert 'src="http' not in page  # one file, whole without a network
    printed = capsys.readouterr().out
    readme = (out / "README.md").read_text()
    proof = json.loads((out / "proof/proof.json").read_text())
    assert proof["verdicts"]
    for said in (printed, readme):
        assert "proof.html" in said
        for verdict in proof["verdicts"]:
            assert verdict["sentence"] in " ".join(said.split())
    assert f"{WHOLE} of {WHOLE} questions" in printed
    assert "nothing is left out" in printed
    assert machine.steps == [2, STEPS]


@pytest.mark.slow
def test_it_learns_from_the_data_it_built(undrawn: Machine, tmp_path: Path) -> None:
    out = tmp_path / "it's a demo"
    run.demo(out)
    *_, read = undrawn.trained
    assert read.data == (str(out / "data"),)
    assert read.out == str(out / "training")


@pytest.mark.parametrize(
    ("visit", "answer", "minutes"),
    [
        pytest.param(2.6, 0.3, 10, marks=pytest.mark.slow),
        *(
            pytest.param(*a, marks=pytest.mark.slow)
            for a in ((12, 0.4, 10), (8, 0.1, 10), (2.6, 0.3, 60))
        ),
    ],
)
def test_it_keeps_to_its_minutes(
    undrawn: Machine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    visit: float,
    answer: float,
    minutes: int,
) -> None:
    undrawn.visit, undrawn.answer = visit, answer
    run.demo(tmp_path / "demo", minutes)
    whole = STEPS * 4 * visit + 2 * WHOLE * answer < (minutes - 1) * 60
    assert undrawn.now <= minutes * 60
    assert whole or undrawn.now >= minutes * 60 * 0.8
    asked = sum(map(len, undrawn.asked["tuned"]))
    assert sorted(undrawn.asked["tuned"]) == sorted(undrawn.asked["tiny-stage1"])
    assert whole == (asked == WHOLE and undrawn.steps[-1] == STEPS)
    said = capsys.readouterr().out
    assert f"{asked} of {WHOLE} questions" in said
    assert whole or "All of it: --minutes" in " ".join(said.split())


@pytest.mark.slow
def test_all_of_it_takes_as_long_as_it_says(
    undrawn: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undrawn.visit, undrawn.answer = 2.6, 0.3
    run.demo(tmp_path / "some", 10)
    said = " ".join(capsys.readouterr().out.split())
    minutes = float(said.partition("All of it: --minutes ")[2].split(",")[0])
    undrawn.asked.clear()
    run.demo(tmp_path / "all", minutes)
    assert sum(map(len, undrawn.asked["tuned"])) == WHOLE
    assert undrawn.steps[-1] == STEPS


@pytest.mark.slow
def test_a_machine_that_is_too_slow(
    undrawn: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undrawn.visit, undrawn.answer = 120, 10
    run.demo(tmp_path / "demo")
    assert "This is the least that says anything" in capsys.readouterr().out
    assert undrawn.steps[-1] == 4
    assert sum(map(len, undrawn.asked["tuned"])) < 200  # the first chunk of six tasks


@pytest.mark.slow
@pytest.mark.parametrize(("busier", "slower"), [(2.0, 1.0), (1.0, 2.0), (1.7, 1.5)])
def test_the_clock_is_watched(
    undrawn: Machine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    busier: float,
    slower: float,
) -> None:
    """A machine that is busier than when it was timed, a tuned model that says more."""
    undrawn.visit, undrawn.answer, undrawn.busier, undrawn.slower = 2.6, 0.3, busier, slower
    out = tmp_path / "demo"
    run.demo(out, 10)
    assert 0.8 * 600 <= undrawn.now <= 600 * 1.05
    said = " ".join(capsys.readouterr().out.split())
    planned, done = undrawn.steps[-1], undrawn.done[-1]
    assert (done < planned) == (busier > 1)
    if busier > 1:
        sentence = f"The clock ended the training after {done} of the {planned} steps planned."
        assert sentence in said and sentence in (out / "README.md").read_text()
        state = json.loads((out / "tune.json").read_text())
        assert state["ended"] == {"training/tuning": [done, planned]}
    asked, base = (sum(map(len, undrawn.asked[name])) for name in ("tuned", "tiny-stage1"))
    assert (asked < base) == (slower > 1)
    assert (f"there was time for {asked} of the {base} questions" in said) == (slower > 1)


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 5, 8, 12])
def test_it_goes_on_as_it_was_planned(undrawn: Machine, tmp_path: Path, calls: int) -> None:
    undrawn.visit, undrawn.answer = 2.6, 0.3
    whole = run.demo(tmp_path / "whole").page.read_text()
    asked = {model: sorted(of) for model, of in undrawn.asked.items()}
    steps = undrawn.steps
    undrawn.asked, undrawn.trained = {}, []
    left = iter(range(calls))
    undrawn.killed = lambda: next(left, None) is None
    with pytest.raises(KeyboardInterrupt):
        run.demo(tmp_path / "stopped")
    undrawn.killed = lambda: False
    undrawn.visit, undrawn.answer = 1.3, 0.15  # it is less busy now
    page = run.demo(tmp_path / "stopped").page.read_text()
    assert sorted(undrawn.asked["tuned"]) == sorted(undrawn.asked["tiny-stage1"])
    if calls >= 8:  # it was planned before it was stopped
        assert {model: sorted(of) for model, of in undrawn.asked.items()} == asked
        assert undrawn.steps[-1] >= steps[-1]  # there is more time, now that it is faster
        assert page == re.sub(r"had \d+ of", f"had {undrawn.steps[-1]} of", whole)


@pytest.mark.slow
def test_one_that_was_stopped_at_once_goes_on(
    undrawn: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        (tmp_path / "data").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("locvlm.tuning.data._build", stop)
        run.demo(tmp_path, 3)
    assert run.demo(tmp_path).page.is_file()


@pytest.mark.slow
def test_a_finished_one_asks_nothing_again(undrawn: Machine, tmp_path: Path) -> None:
    first = run.demo(tmp_path).page.read_text()
    undrawn.asked.clear()
    assert run.demo(tmp_path, 10).page.read_text() == first
    assert undrawn.asked == {}


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "10081"])
def test_no_such_minutes(tmp_path: Path, capsys: pytest.CaptureFixture[str], minutes: str) -> None:
    assert cli.main(["demo", "--out", str(tmp_path / "d"), "--minutes", minutes]) == 2
    assert "more than 0" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


@pytest.mark.slow
def test_other_minutes_in_the_same_folder(undrawn: Machine, tmp_path: Path) -> None:
    run.demo(tmp_path, 3)
    with pytest.raises(InputError, match="holds a tuning with --minutes 3, not 4"):
        run.demo(tmp_path, 4)
