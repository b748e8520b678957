"""Ctrl-C in the middle of commands; what they leave, they go on from, to the same bytes."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.interrupting import LIMIT, command, interrupt, left

PICTURES = 24
CATEGORIES = ("dog", "cat", "person", "horse", "bus", "cup")
NAMES = ("stopped", "whole")
GOES_ON = "locvlm: stopped; the same command goes on from here\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, and a detection file of many more."""
    folder: Path = tmp_path_factory.mktemp("interrupts")
    (folder / "images").mkdir()
    noise = np.random.default_rng(0)
    for number in range(PICTURES):
        pixels = noise.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
    for name, count in (("few", PICTURES), ("many", 5000)):
        images = [
            {"id": i, "file_name": f"{i}.png", "width": 60, "height": 40} for i in range(count)
        ]
        boxes = [
            {"image_id": i, "category_id": kind, "bbox": [i % 30, 5, 20, 25], "iscrowd": 0}
            for i in range(count)
            for kind in (i % 3, (i + 1) % 3)
        ]
        boxes += [
            {"image_id": 0, "category_id": kind, "bbox": [kind, 9, 20, 25], "iscrowd": 0}
            for kind in range(3, len(CATEGORIES))  # or nobody would have looked for them
        ]
        boxes = [{"id": number, **box} for number, box in enumerate(boxes)]
        kinds = [{"id": i, "name": name} for i, name in enumerate(CATEGORIES)]
        document = {"images": images, "annotations": boxes, "categories": kinds}
        (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


def again(arguments: list[str], folder: Path) -> None:
    """The same command, to its end."""
    process = command(arguments, "locvlm.cli:_fail", folder)  # which is not called
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said


@pytest.mark.slow
def test_eval(folder: Path, small_base: Path) -> None:
    given = ["eval", "--model", str(small_base), "--task", "hal-coco", "--images", "images"]
    given += ["--annotations", "few.json", "--out"]
    process = command([*given, "stopped"], "locvlm.evaluation.runner:ask_questions", folder, call=2)
    code, said, seconds = interrupt(process)
    assert (code, seconds < LIMIT) == (130, True), said
    assert said.endswith(GOES_ON)
    before = (folder / "stopped/predictions.jsonl").read_bytes()
    assert before.count(b"\n") > 0
    again([*given, "stopped"], folder)
    again([*given, "whole"], folder)
    stopped, whole = ((folder / name / "predictions.jsonl").read_bytes() for name in NAMES)
    assert stopped == whole
    assert stopped.startswith(before)
    assert len(stopped) > len(before)


def test_build_in_processes(folder: Path) -> None:
    given = ["build", "--annotations", "many.json", "--no-images", "--workers", "2"]
    slow = "locvlm.instructions.build_files:DatasetWriter.write"
    process = command([*given, "--out", "data"], slow, folder, call=2)
    code, said, seconds = interrupt(process)
    assert (code, seconds < LIMIT) == (130, True), said
    assert said.endswith("\nlocvlm: stopped\n")
    assert not left(process.pid)
    for out in ("data", "fresh"):
        again([*given, "--out", out], folder)
    rows = [(folder / out / "instructions.parquet").read_bytes() for out in ("data", "fresh")]
    assert rows[0] == rows[1]


def test_pseudo_detect(folder: Path) -> None:
    """Whatever the detector is: here one whose loading takes long."""
    given = ["pseudo", "detect", "--images", "images", "--out", "seen.json"]
    process = command(given, "locvlm.pseudo.detectors:load", folder)
    code, said, seconds = interrupt(process)
    assert (code, seconds < LIMIT) == (130, True), said
    assert said.endswith(GOES_ON)
    assert not (folder / "seen.json").exists()
