"""Panoptic segmenters: extents of things in pixels of the picture, stuff, and what is absent."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from locvlm.pseudo.detect import DetectOptions, classify_boxes
from locvlm.pseudo.detectors import load
from locvlm.pseudo.detectors.panoptic import _bounding_box, _visible_segments
from locvlm.pseudo.detectors.stuff import ADE20K, CITYSCAPES, COCO, stuff_among
from tests.pseudo.detectors import tiny
from tests.pseudo.detectors.test_closed import SHAPES, picture

PERSON, DOG, SKY, WALL = range(4)
# Label and xyxy, shares of the picture
SEGMENTS = [
    (PERSON, (0.0, 0.5, 0.25, 1.0)),
    (PERSON, (0.5, 0.5, 0.75, 1.0)),
    (SKY, (0, 0, 1, 0.25)),
]


class Planted:
    """Sees the same segments in every picture, at a quarter of the input's resolution."""

    def __init__(self, model: Any, segments: list, score: float = 0.9) -> None:
        self.config, self.device = model.config, model.device
        self.segments, self.score = segments, score
        self.content = (1.0, 1.0)  # what the picture spans of the input, each way

    def __call__(self, pixel_values: torch.Tensor, **_: Any) -> SimpleNamespace:
        height, width = (side // 4 for side in pixel_values.shape[-2:])
        self.cells = np.array([self.content[0] * width, self.content[1] * height])
        masks = torch.full((1, len(self.segments), height, width), -20.0)
        classes = torch.full((1, len(self.segments), len(tiny.PANOPTIC_NAMES) + 1), -20.0)
        for row, (label, (x1, y1, x2, y2)) in enumerate(self.segments):
            across, down = self.content[0] * width, self.content[1] * height
            rows = slice(round(y1 * down), round(y2 * down))
            masks[0, row, rows, round(x1 * across) : round(x2 * across)] = 20
            classes[0, row, [label, -1]] = torch.tensor([self.score, 1 - self.score]).log()
        if self.config.model_type == "detr":
            return SimpleNamespace(logits=classes, pred_masks=masks)
        return SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)


@pytest.fixture(scope="module", params=tiny.PANOPTIC)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param != "detr-panoptic":
        pytest.importorskip("scipy")
    return tiny.build(request.param, tmp_path_factory.mktemp(request.param))


def planted(folder: Path, segments: list, score: float = 0.9) -> Any:
    detector: Any = load(str(folder))
    detector._model = Planted(detector._model, segments, score)
    return detector


@pytest.mark.parametrize("size", SHAPES)
def test_extents_in_pixels_of_the_picture(folder: Path, size: tuple[int, int]) -> None:
    detector = planted(folder, SEGMENTS)
    if detector._model.config.model_type == "eomt":  # it pads to a square
        detector._model.content = (size[0] / max(size), size[1] / max(size))
    [found] = detector.detect([picture(size)])
    assert found.labels.tolist() == [PERSON, PERSON]
    assert found.scores == pytest.approx([0.9, 0.9], abs=1e-3)
    assert found.boxless == {SKY}
    shares = found.boxes / np.array([*size, *size])
    wanted = np.array([box for _, box in SEGMENTS[:2]])
    assert (np.abs(shares - wanted) * np.tile(detector._model.cells, 2) <= 1).all()


def test_absent_is_what_no_pixel_belongs_to(folder: Path) -> None:
    [found] = planted(folder, SEGMENTS).detect([picture((100, 60))])
    row = classify_boxes(found, (100, 60), np.arange(4), 4, DetectOptions())
    assert row.absent == [DOG, WALL]
    assert row.unsure == [SKY]
    assert set(row.labels) == {PERSON}


@pytest.mark.parametrize("segments", [[], [(DOG, (0, 0, 0.5, 1))]])
def test_nothing_sure(folder: Path, segments: list) -> None:
    if not segments:  # no query at all is no picture of a segmenter's: one that sees nothing
        segments = [(len(tiny.PANOPTIC_NAMES), (0, 0, 1, 1))]
    [found] = planted(folder, segments, score=0.4).detect([picture((100, 60))])
    assert found.boxes.shape == (0, 4)
    assert found.boxless == frozenset()


def test_stuff_is_one_however_often(folder: Path) -> None:
    twice = [(SKY, (0, 0, 0.25, 1.0)), (SKY, (0.75, 0, 1, 1)), (DOG, (0.25, 0, 0.75, 1))]
    [found] = planted(folder, twice).detect([picture((64, 64))])
    assert found.boxless == {SKY}
    assert found.labels.tolist() == [DOG]


def test_the_model_itself(folder: Path) -> None:
    for size in SHAPES:
        [found] = load(str(folder)).detect([picture(size)])
        assert found.boxes.shape == (len(found.labels), 4)


def test_pixels_that_nobody_claims_are_nobodys() -> None:
    masks = torch.full((2, 4, 6), 0.1)
    masks[0, 1, 2] = 0.6
    masks[1, 3] = 0.9
    found = dict(_visible_segments([*masks], torch.tensor([0.9, 0.8])))
    assert np.argwhere(found[0]).tolist() == [[1, 2]]
    assert _bounding_box(found[0]) == (2, 1, 3, 2)
    assert _bounding_box(found[1]) == (0, 3, 6, 4)


def test_a_segment_that_another_hides() -> None:
    masks = torch.zeros(2, 4, 10)
    masks[0, :, :5] = 0.9
    masks[1, :, 4:] = 0.9  # a fifth of the first is hers: not more than 0.8 is left
    assert [row for row, _ in _visible_segments([*masks], torch.tensor([0.7, 0.8]))] == [1]
    assert [row for row, _ in _visible_segments([*masks], torch.tensor([0.8, 0.7]))] == [0, 1]


def test_no_segments() -> None:
    assert list(_visible_segments([], torch.zeros(0))) == []


def test_stuff_of_known_data_sets() -> None:
    assert stuff_among([]) == frozenset()
    assert stuff_among(["person", "road", "sky"]) == frozenset()
    coco = ["person", "bench", *sorted(COCO)]
    assert stuff_among(coco) == set(range(2, 55))
    ade20k = ["wall", "building, edifice", "sky", *map(str, range(147))]
    assert stuff_among(ade20k) == ADE20K
    assert len(ADE20K) == 50
    cityscapes = ["road", "sidewalk", "building", *map(str, range(16))]
    assert stuff_among(cityscapes) == CITYSCAPES
