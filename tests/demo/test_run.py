"""The demo from end to end, with a model that answers at random and a tuning that only draws.

Both take time by a clock of the test's own, so that a machine may be as slow as one likes.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli, coordinates
from locvlm.demo import run, step_timer, timing
from locvlm.errors import InputError
from locvlm.evaluation import scoring
from locvlm.evaluation.suites import run as suites
from locvlm.geometry import Frame, Size
from locvlm.inspection import inspect as inspecting
from locvlm.inspection.inspect import Inspection
from locvlm.models import load as loading
from locvlm.models import tiny
from locvlm.models.load import Loaded
from locvlm.training import train as training

ANSWERS = ("It is located at (10,20,100,200)", "There is no such object", "left", "Yes, a dog.")
STEPS = "stages.locations.steps"
WHOLE = 1103  # questions of the suite


@dataclass
class Machine:
    """How fast it is, and what time it is on it."""

    visit: float = 0.01  # seconds of a picture in tuning
    answer: float = 0.01  # seconds of a question
    now: float = 0.0
    asked: dict[str, list[list[str]]] = field(default_factory=dict)  # by model: pictures' questions
    tuned: list[dict[str, str]] = field(default_factory=list)  # settings of each tuning
    killed: Callable[[], bool] = lambda: False

    def train(self, recipe: Path, settings: list[str]) -> None:
        """What `locvlm.training.train` leaves behind."""
        assert recipe == run.RECIPE
        values = dict(setting.split("=", 1) for setting in settings)
        self.tuned.append(values)
        visits = int(values[STEPS]) * int(values.get("stages.locations.images", 4))
        seconds = visits * self.visit
        self.now += seconds
        stage = Path(json.loads(values["out"])) / "locations"
        stage.mkdir(parents=True, exist_ok=True)
        (stage / "log.jsonl").write_text(json.dumps({"step": 1, "train_runtime": seconds}) + "\n")
        Image.new("RGB", (30, 20), "white").save(stage.parent / "loss.png")

    def load(self, name: str) -> "Guesser":
        return Guesser(name, self)


class Guesser:
    """Answers at random, differently for each name."""

    coordinates = coordinates.get("ivb", bins=224)
    digest = ""
    frames = None  # it reads pictures
    at_once = 32
    decoding = {"method": "guess"}  # noqa: RUF012

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.machine = machine

    def frame(self, size: Size) -> Frame:
        return Frame.resize(size, 224)

    def answer_all(self, asked: list[tuple[Image.Image, list[str]]]) -> list[list[str]]:
        if self.machine.killed():
            raise KeyboardInterrupt
        groups = [questions for _, questions in asked]
        self.machine.asked.setdefault(self.name, []).extend(groups)
        self.machine.now += sum(map(len, groups)) * self.machine.answer
        return [[self._guess(question) for question in questions] for questions in groups]

    def _guess(self, question: str) -> str:
        return random.Random(f"{self.name}/{question}").choice(ANSWERS)


@pytest.fixture
def machine(small_model: Loaded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """On which `locvlm demo` does its light parts alone."""
    made = Machine()
    processor_and_format = (small_model.processor, small_model.coordinates)
    monkeypatch.setattr(loading, "load_processor", lambda name, **_: processor_and_format)
    monkeypatch.setattr(tiny, "base_folder", Path)
    monkeypatch.setattr("locvlm.inference.predictor.load_predictor", made.load)
    monkeypatch.setattr(training, "train", made.train)
    monkeypatch.setattr(timing, "now", lambda: made.now)
    monkeypatch.setattr(step_timer, "now", lambda: made.now)
    return made


@pytest.fixture
def undrawn(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The same without most of the drawing, which takes the test most of its time."""
    monkeypatch.setattr(
        inspecting, "inspect", lambda *_, **__: Inspection((), Path("i.html"), 0, 0, 0.0)
    )
    monkeypatch.setattr(suites, "_write_entry_page", lambda *_: None)
    monkeypatch.setattr(scoring, "write_report", lambda *_: None)
    return machine


def test_the_demo_ends_in_a_report(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert cli.main(["demo", "--out", str(out)]) == 0
    report = (out / "report.html").read_text()
    for word in ("tiny-control", "coco-spatial", "hal-coco", "CC BY", "flickr.com"):
        assert word in report
    assert report.count("data:image/jpeg") >= 4 + 1 + 4  # examples, loss curve, samples
    assert 'src="http' not in report  # one file, whole without a network
    printed = capsys.readouterr().out
    assert "report.html" in printed
    assert "mean IoU" in printed
    for said in (printed, report):
        assert f"{WHOLE} of {WHOLE} questions" in said
        assert "nothing is left out" in said
        assert "no controlled comparison" in " ".join(said.split())
    assert [values[STEPS] for values in machine.tuned] == ["2", "16"]


def test_the_tuning_gets_the_data_it_built(undrawn: Machine, tmp_path: Path) -> None:
    run.demo(tmp_path / "it's a demo")
    *_, values = undrawn.tuned
    assert json.loads(values["data"]) == [str(tmp_path / "it's a demo" / "instructions")]
    assert json.loads(values["out"]) == str(tmp_path / "it's a demo" / "training")


@pytest.mark.parametrize(
    ("visit", "answer", "minutes"), [(2.6, 0.3, 10), (12, 0.4, 10), (8, 0.1, 10), (2.6, 0.3, 25)]
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
    report = run.demo(tmp_path / "demo", minutes)
    whole = 16 * 4 * visit + 2 * WHOLE * answer < (minutes - 1) * 60
    assert undrawn.now <= minutes * 60
    assert whole or undrawn.now >= minutes * 60 * 0.8
    assert undrawn.asked["tiny"] == undrawn.asked["tiny-control"]
    asked, steps = sum(map(len, undrawn.asked["tiny"])), undrawn.tuned[-1][STEPS]
    assert whole == (asked == WHOLE and steps == "16")
    for said in (capsys.readouterr().out, report.read_text()):
        assert f"{asked} of {WHOLE} questions" in said
        assert whole or "locvlm demo --minutes" in " ".join(said.split())


def test_all_of_it_takes_as_long_as_it_says(
    undrawn: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undrawn.visit, undrawn.answer = 2.6, 0.3
    run.demo(tmp_path / "some", 10)
    said = " ".join(capsys.readouterr().out.split())
    minutes = float(said.partition("locvlm demo --minutes ")[2].split()[0])
    undrawn.asked.clear()
    run.demo(tmp_path / "all", minutes)
    assert sum(map(len, undrawn.asked["tiny"])) == WHOLE


def test_a_machine_that_is_too_slow(
    undrawn: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undrawn.visit, undrawn.answer = 120, 10
    run.demo(tmp_path / "demo")
    assert "This is the least that says anything" in capsys.readouterr().out
    *_, values = undrawn.tuned
    assert values[STEPS] == "4"
    assert sum(map(len, undrawn.asked["tiny"])) < 150


@pytest.mark.slow
@pytest.mark.parametrize("calls", [1, 5, 8, 12])
def test_it_goes_on_as_it_was_planned(undrawn: Machine, tmp_path: Path, calls: int) -> None:
    undrawn.visit, undrawn.answer = 2.6, 0.3
    whole = run.demo(tmp_path / "whole").read_text()
    asked, tuned = undrawn.asked, undrawn.tuned
    undrawn.asked, undrawn.tuned = {}, []
    left = iter(range(calls))
    undrawn.killed = lambda: next(left, None) is None
    with pytest.raises(KeyboardInterrupt):
        run.demo(tmp_path / "stopped")
    undrawn.killed = lambda: False
    undrawn.visit, undrawn.answer = 1.3, 0.15  # it is less busy now
    report = run.demo(tmp_path / "stopped").read_text()
    assert undrawn.asked["tiny"] == undrawn.asked["tiny-control"]
    if calls >= 8:  # it was planned before it was stopped
        assert undrawn.asked == asked
        assert report == whole
        assert [v[STEPS] for v in undrawn.tuned][-1] == (tuned[-1][STEPS])


def test_one_that_was_stopped_at_once_goes_on(
    undrawn: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(folder: Path) -> None:
        folder.mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "_build", stop)
        run.demo(tmp_path, 3)
    assert run.demo(tmp_path).is_file()


def test_a_finished_one_asks_nothing_again(undrawn: Machine, tmp_path: Path) -> None:
    first = run.demo(tmp_path).read_text()
    undrawn.asked.clear()
    assert run.demo(tmp_path, 10).read_text() == first
    assert undrawn.asked == {}


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "1441"])
def test_no_such_minutes(tmp_path: Path, capsys: pytest.CaptureFixture[str], minutes: str) -> None:
    assert cli.main(["demo", "--out", str(tmp_path / "d"), "--minutes", minutes]) == 2
    assert "more than 0" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_other_minutes_in_the_same_folder(undrawn: Machine, tmp_path: Path) -> None:
    run.demo(tmp_path, 3)
    with pytest.raises(InputError, match="holds a demo of 3 minutes"):
        run.demo(tmp_path, 4)
