"""Closed sets of transformers: boxes in pixels of the picture, and all categories of a box."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, pipeline

from locvlm.errors import InputError
from locvlm.pseudo.detectors import Detector, load
from tests.pseudo.detectors import tiny

SHAPES = [(100, 60), (60, 100), (64, 64), (333, 77), (640, 480)]


def picture(size: tuple[int, int]) -> Image.Image:
    """Blobs of color, other ones for each size."""
    rng = np.random.default_rng(size)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module", params=tiny.CLOSED)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build(kind, tmp_path_factory.mktemp(kind))


@pytest.fixture(scope="module")
def detector(folder: Path) -> Detector:
    return load(str(folder))


def test_as_the_pipeline_of_transformers(folder: Path, detector: Detector) -> None:
    images = AutoImageProcessor.from_pretrained(folder, backend="pil")
    reference = pipeline("object-detection", model=str(folder), image_processor=images)
    for size in SHAPES:
        [found] = detector.detect([picture(size)])
        wanted = reference(picture(size), threshold=0.0)
        assert wanted
        for item in wanted:
            box = [item["box"][side] for side in ("xmin", "ymin", "xmax", "ymax")]  # cut off
            label = detector.categories.index(item["label"])
            same = (found.labels == label) & (np.abs(found.scores - item["score"]) < 1e-5)
            assert (np.abs(found.boxes - box) < 1 + 1e-3).all(1)[same].any()


def test_every_category_of_every_box(detector: Detector) -> None:
    [found] = detector.detect([picture((100, 60))])
    assert detector.categories == ("cat", "dog", "car")
    assert len(found.labels) == tiny.QUERIES * 3
    assert np.bincount(found.labels).tolist() == [tiny.QUERIES] * 3


def test_neighbors_change_nothing(detector: Detector) -> None:
    alone = [detector.detect([picture(size)])[0] for size in SHAPES]
    for one, other in zip(alone, detector.detect([*map(picture, SHAPES)]), strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_nothing_below_the_least(folder: Path, detector: Detector) -> None:
    [everything] = detector.detect([picture((100, 60))])
    min_score = float(np.median(everything.scores))
    [found] = load(str(folder), min_score=min_score).detect([picture((100, 60))])
    np.testing.assert_array_equal(found.scores, everything.scores[everything.scores >= min_score])


def test_numbers_without_a_category(tmp_path: Path) -> None:
    """DETR's 91 are COCO's numbers, eleven of which nothing has."""
    folder = tiny.build("detr", tmp_path)
    [everything] = load(str(folder)).detect([picture((100, 60))])
    config = json.loads((folder / "config.json").read_text())
    config["id2label"]["1"] = "N/A"
    (folder / "config.json").write_text(json.dumps(config))
    detector = load(str(folder))
    [found] = detector.detect([picture((100, 60))])
    assert detector.categories == ("cat", "car")
    for ours, theirs in ((0, 0), (1, 2)):
        np.testing.assert_array_equal(
            found.scores[found.labels == ours], everything.scores[everything.labels == theirs]
        )


def test_no_pictures(detector: Detector) -> None:
    assert detector.detect([]) == []


@pytest.mark.parametrize("size", [(1, 1000), (1000, 1)])
def test_a_line(kind: str, detector: Detector, size: tuple[int, int]) -> None:
    if "rt-detr" in kind or kind in ("d-fine", "lw-detr"):  # they see squares
        [found] = detector.detect([picture(size)])
        assert np.isfinite(found.boxes).all()
    else:
        with pytest.raises(InputError, match=f"{size[0]}x{size[1]} pixels: too narrow"):
            detector.detect([picture(size)])


def test_three_rows_of_pixels(tmp_path: Path) -> None:
    """A picture as high as it has channels: its rows are not taken for them."""
    detector = load(str(tiny.build("rt-detr", tmp_path)))
    three = picture((40, 3))
    tall = three.resize((40, 30), Image.Resampling.NEAREST)
    seen: list[torch.Tensor] = []
    detector._model.register_forward_pre_hook(  # type: ignore[attr-defined]
        lambda _, __, given: seen.append(given["pixel_values"]), with_kwargs=True
    )
    detector.detect([three])
    detector.detect([tall])
    assert (seen[0] - seen[1]).abs().mean() < 0.1
