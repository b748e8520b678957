"""`locvlm pseudo detect` on the command line."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from locvlm import cli
from locvlm.pseudo import detect as detecting
from locvlm.pseudo import detectors
from locvlm.pseudo.detectors import DetectorOutput
from locvlm.pseudo.detectors.stuff import COCO


class Sham:
    """Sees a cat twice, and perhaps a dog, in every picture."""

    categories = ("cat", "dog", "car")

    def detect(self, pictures: Sequence[Image.Image]) -> list[DetectorOutput]:
        boxes = np.array([[0.0, 0, 9, 9], [0, 0, 9, 8], [20, 20, 30, 30]])
        scores, labels = np.array([0.9, 0.8, 0.3]), np.array([0, 0, 1])
        return [DetectorOutput(boxes, scores, labels) for _ in pictures]


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(detecting, "_load_detector", lambda *_: Sham())
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (50, 40)).save(tmp_path / "photos/a.png")
    (tmp_path / "photos/b.png").write_text("no picture")
    images, out = tmp_path / "photos", tmp_path / "seen.json"
    return ["pseudo", "detect", "--images", str(images), "--out", str(out)]


def test_summary(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "1 pictures; boxes: 1, absences: 1, skipped: 1",
        "left out, boxes in the place of a surer one: 1",
        arguments[-1],
    ]
    assert "b.png: not a readable picture" in said.err


def test_as_json(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said.pop("skipped")) == ["b.png"]
    assert said.pop("lacks").startswith("ssd finds COCO's 80 things and no stuff")
    assert said == {"out": arguments[-1], "pictures": 1, "boxes": 1, "absences": 1, "doubles": 1}


def test_classes_and_their_names(arguments: list[str], tmp_path: Path) -> None:
    names = tmp_path / "names.yaml"
    names.write_text("cat: ' pet '\ndog: pet\ncar: vehicle\n")
    options = ["--class-map", str(names), "--classes", "dog, car,dog,"]
    assert cli.main([*arguments, *options]) == 0
    whole = json.loads(Path(arguments[-1]).read_text())
    assert [item["name"] for item in whole["categories"]] == ["pet", "vehicle"]
    assert whole["annotations"] == []
    assert whole["images"][0]["neg_category_ids"] == [2]


def test_the_class_map_that_comes_along(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of COCO panoptic's names but three; words that people use."""
    names = yaml.safe_load(Path(detectors.__file__).with_name("coco_panoptic.yaml").read_bytes())
    assert len(names) == 130
    left_out = COCO - set(names)
    assert left_out == {"fruit", "food-other-merged", "table-merged"}
    assert names["sky-other-merged"] == "sky"
    assert names["wall-brick"] == "wall"
    assert not any("-" in ours for ours in names.values())
    assert len(set(names) - COCO) == 80
    monkeypatch.setattr(Sham, "categories", (*names, *left_out))
    assert cli.main([*arguments, "--class-map", "coco-panoptic"]) == 0
    whole = json.loads(Path(arguments[-1]).read_text())
    assert len(whole["categories"]) == len(set(names.values()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--classes", " , "], "no names; give some with commas between"),
        (["--classes", "dog,unicorn"], "ssd does not know 'unicorn'; it knows cat, dog, car"),
        (["--limit", "0"], "--limit must be at least 1 picture, not 0"),
        (["--workers", "0"], "workers must be at least 1, not 0"),
        (["--threshold", "1.5"], "give 0 ≤ absent-below ≤ threshold ≤ 1"),
        (["--threshold", "high"], "--threshold"),
        (["--overlap", "0"], "an IoU above 0, and 1 at most"),
        (["--class-map", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_refused(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    assert cli.main([*arguments, *options]) == 2
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert message in line
    assert not said.out
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give a line per category, such as car: vehicle"),
        ("- car", "give a line per category, such as car: vehicle"),
        ("car: 3", "'car': 3 are not two names"),
        ("car: ' '", "are not two names"),
        ("no: yes", "False: True are not two names"),
        ("[car", "not YAML"),
        ("2024-99-99: x", "not YAML"),
        ('car: "a\\nb"', "has a line break"),
        ("plane: x", "ssd does not know 'plane'"),
    ],
)
def test_class_maps_that_are_none(
    arguments: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    message: str,
) -> None:
    (tmp_path / "names.yaml").write_text(text)
    assert cli.main([*arguments, "--class-map", str(tmp_path / "names.yaml")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path(arguments[-1]).exists()
