"""The demo from end to end, with a model that answers at random and a tuning that only draws."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import locvlm
from locvlm import cli, coordinates
from locvlm.demo import run
from locvlm.geometry import Frame, Size
from locvlm.models import load as loading
from locvlm.models.load import Loaded

ANSWERS = ("It is located at (10,20,100,200)", "There is no such object", "left", "Yes, a dog.")


class Guesser:
    """Answers at random, differently for each name."""

    coordinates = coordinates.get("ivb", bins=224)
    frames = None  # it reads pictures
    decoding = {"method": "guess"}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.name = name
        self.rng = random.Random(name)

    def frame(self, size: Size) -> Frame:
        return Frame.resize(size, 224)

    def answer_all(self, asked: list[tuple[Image.Image, list[str]]]) -> list[list[str]]:
        return [[self.rng.choice(ANSWERS) for _ in questions] for _, questions in asked]


@pytest.fixture
def demo_out(small_model: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder for `locvlm demo`, whose heavy parts are replaced."""

    def tune(data: Path, folder: Path) -> Path:
        folder.mkdir()
        Image.new("RGB", (30, 20), "white").save(folder / "loss.png")
        return folder / "loss.png"

    processor_and_format = (small_model.processor, small_model.coordinates)
    monkeypatch.setattr(loading, "load_processor", lambda name: processor_and_format)
    monkeypatch.setattr(locvlm, "load", Guesser)
    monkeypatch.setattr(run, "_tune", tune)
    monkeypatch.setattr(run, "PICTURES", 6)
    return tmp_path / "demo"


def test_the_demo_ends_in_a_report(demo_out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--out", str(demo_out)]) == 0
    report = (demo_out / "report.html").read_text()
    for word in ("tiny-control", "coco-spatial", "hal-coco", "CC BY", "flickr.com"):
        assert word in report
    assert report.count("data:image/jpeg") >= 4 + 1 + 4  # examples, loss curve, samples
    assert 'src="http' not in report  # one file, whole without a network
    printed = capsys.readouterr().out
    assert "report.html" in printed
    assert "mean IoU" in printed


def test_the_tuning_gets_the_data_it_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from locvlm.training import train

    calls: list[Any] = []
    monkeypatch.setattr(train, "train", lambda recipe, settings: calls.append((recipe, settings)))
    assert run._tune(tmp_path / "it's data", tmp_path / "out") == tmp_path / "out" / "loss.png"
    ((recipe, settings),) = calls
    assert recipe == run.RECIPE
    values = dict(setting.split("=", 1) for setting in settings)
    assert json.loads(values["data"]) == [str(tmp_path / "it's data")]
    assert json.loads(values["out"]) == str(tmp_path / "out")
