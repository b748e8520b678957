"""Annotations made on pictures of one size, with files of another."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.coco_orientation import REASON as SWAPPED
from locvlm.annotations.recorded_sizes import FITTING, OTHER, SCALED, TURNED
from locvlm.errors import InputError
from locvlm.geometry import coords_of

BOXES = [(10 + 20 * i, 20 + 15 * i, 60 + 20 * i, 80 + 15 * i) for i in range(25)]  # of 640 × 480


def read(
    folder: Path, file: tuple[int, int], boxes: Any = BOXES, recorded: tuple[int, int] = (640, 480)
) -> AnnotationSet:
    width, height = recorded
    for i in range(len(boxes)):
        Image.new("L", file).save(folder / f"{i}.png")
    size = {"width": width, "height": height}
    tree = {
        "images": [{"id": i, "file_name": f"{i}.png", **size} for i in range(len(boxes))],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for i, (x1, y1, x2, y2) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    path = folder / "a.json"
    path.write_text(json.dumps(tree))
    return annotations.read("coco", path, images=folder)


def boxes_of(data: AnnotationSet) -> Any:
    return np.array([coords_of(item.box) for image in data.images for item in image.objects])


@pytest.mark.parametrize("file", [(320, 240), (1280, 960), (467, 350), (640, 480)])
def test_boxes_are_scaled_to_the_files(tmp_path: Path, file: tuple[int, int]) -> None:
    data = read(tmp_path, file)
    factors = np.array(file * 2) / (640, 480, 640, 480)
    assert np.allclose(boxes_of(data), np.array(BOXES) * factors)
    assert {(image.width, image.height) for image in data.images} == {file}
    assert data.drops == ({SCALED: 25} if file != (640, 480) else {})


def test_boxes_that_are_pixels_of_the_files(tmp_path: Path) -> None:
    data = read(tmp_path, (640, 480), recorded=(1280, 960))
    assert np.allclose(boxes_of(data), BOXES)
    assert data.drops == {FITTING: 25}
    assert data.drops.examples[FITTING] == "0.png: 1280 × 960, and the file 640 × 480"  # type: ignore[attr-defined]


def test_pictures_of_another_shape_stay_and_are_counted(tmp_path: Path) -> None:
    data = read(tmp_path, (480, 640), BOXES[:3])
    assert np.allclose(boxes_of(data), BOXES[:3])
    assert data.drops == {OTHER: 3}


def test_all_of_another_shape(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 25 pictures are of another shape than .*a.json says"):
        read(tmp_path, (480, 640))


def test_a_table(tmp_path: Path) -> None:
    Image.new("L", (320, 240)).save(tmp_path / "7.png")
    path = tmp_path / "t.csv"
    path.write_text("image,width,height,category,x1,y1,x2,y2\n7.png,640,480,dog,10,20,110,220\n")
    data = annotations.read("table", path, images=tmp_path)
    assert boxes_of(data).tolist() == [[5, 10, 55, 110]]
    assert data.drops == {SCALED: 1}


def test_clips_and_broken_files_stay(tmp_path: Path) -> None:
    (tmp_path / "7.mp4").write_bytes(b"no picture")
    path = tmp_path / "t.csv"
    path.write_text("image,width,height,category,x1,y1,x2,y2\n7.mp4,640,480,dog,1,2,3,4\n")
    data = annotations.read("table", path, images=tmp_path)
    assert boxes_of(data).tolist() == [[1, 2, 3, 4]]
    assert not data.drops


def photos(folder: Path, count: int) -> None:
    """Stored as 640 × 480, displayed as 480 × 640."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for i in range(count):
        Image.new("L", (640, 480)).save(folder / f"{i}.jpg", exif=exif)


def table(folder: Path, boxes: Any) -> AnnotationSet:
    rows = [f"{i}.jpg,640,480,box,{','.join(map(str, box))}" for i, box in enumerate(boxes)]
    path = folder / "t.csv"
    path.write_text("\n".join(["image,width,height,category,x1,y1,x2,y2", *rows]))
    return annotations.read("table", path, images=folder)


def coco(folder: Path, boxes: Any) -> AnnotationSet:
    size = {"width": 640, "height": 480}
    tree = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(len(boxes))],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            for i, (x1, y1, x2, y2) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    path = folder / "a.json"
    path.write_text(json.dumps(tree))
    return annotations.read("coco", path, images=folder)


@pytest.mark.parametrize("read_set", [table, coco])
def test_boxes_of_the_pixels_before_turning(tmp_path: Path, read_set: Any) -> None:
    photos(tmp_path, 3)
    data = read_set(tmp_path, [(500, 100, 600, 200), (0, 0, 10, 20), (600, 400, 640, 480)])
    assert {(image.width, image.height) for image in data.images} == {(480, 640)}
    assert boxes_of(data).tolist() == [[280, 500, 380, 600], [460, 0, 480, 10], [0, 600, 80, 640]]
    assert data.drops == {TURNED: 3}


def test_boxes_of_the_photo_as_displayed(tmp_path: Path) -> None:
    photos(tmp_path, 3)
    upright = [(300, 500, 400, 600), (10, 20, 30, 40), (400, 600, 480, 640)]
    data = coco(tmp_path, upright)
    assert {(image.width, image.height) for image in data.images} == {(480, 640)}
    assert boxes_of(data).tolist() == [list(map(float, box)) for box in upright]
    assert data.drops == {SWAPPED: 3}


def test_boxes_that_prove_nothing_of_the_orientation(tmp_path: Path) -> None:
    photos(tmp_path, 3)
    assert coco(tmp_path, [(10, 20, 30, 40)] * 3).drops == {OTHER: 3}
