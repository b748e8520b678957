"""COCO files as people have them: what can be used is used, what cannot is counted."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.drops import examples_of
from locvlm.errors import InputError
from locvlm.geometry import Box

IMAGE = {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}
GOOD = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 30]}


def write(folder: Path, **fields: Any) -> Path:
    tree = {
        "images": [IMAGE],
        "annotations": [GOOD],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        **fields,
    }
    path = folder / "c.json"
    path.write_text(json.dumps({key: value for key, value in tree.items() if value is not ...}))
    return path


def read(folder: Path, **fields: Any) -> AnnotationSet:
    return annotations.read("coco", write(folder, **fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"licenses": None},
        {"licenses": "MIT"},
        {"licenses": [{"name": "", "url": ""}, {"id": 1, "name": None}, 7]},
        {"info": None},
        {"info": [1, {"pseudo": 3}]},
        {"images": [IMAGE | {"width": 100.0, "height": "80"}]},
        {"images": [IMAGE | {"license": [], "flickr_url": 0, "coco_url": {}}]},
        {"annotations": [GOOD | {"iscrowd": None}]},
        {"annotations": [GOOD | {"iscrowd": "0", "area": None, "segmentation": "?"}]},
        {"annotations": [GOOD | {"bbox": ["10", "10", "20", "30"]}]},
        {"annotations": [GOOD | {"bbox": {"x": 10, "y": 10, "width": 20, "height": 30}}]},
        {"annotations": [GOOD | {"id": 1.0, "image_id": 1.0, "category_id": 1.0}]},
        {"annotations": [GOOD | {"id": None, "area": float("nan")}]},
    ],
)
def test_a_field_that_nobody_needs_cannot_hurt(tmp_path: Path, fields: dict[str, Any]) -> None:
    data = read(tmp_path, **fields)
    (image,) = data.images
    assert [(item.category, item.box, item.crowd) for item in image.objects] == [
        ("dog", Box(10, 10, 30, 40), False)
    ]
    assert (image.width, image.height) == (100, 80)
    assert not data.drops


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"bbox": None}, "annotations without a box"),
        ({"bbox": []}, "annotations without a box"),
        ({"bbox": [1, 2, "x", 4]}, "annotations without a box"),
        ({"bbox": [1, 2, float("nan"), 4]}, "annotations without a box"),
        ({"bbox": [1e308, 0, 1e308, 1]}, "boxes whose numbers are not finite"),
        ({"bbox": [1, 2, -3, 4]}, "boxes without area"),
        ({"category_id": None}, "annotations without a category"),
        ({"category_id": 9}, "annotations of unknown categories"),
    ],
)
def test_what_is_lost_is_counted_and_never_absent(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    data = read(tmp_path, annotations=[GOOD, GOOD | {"id": 2, "category_id": 2} | bad])
    (image,) = data.images
    assert [item.category for item in image.objects] == ["dog"]
    assert data.drops == {reason: 1}
    assert "annotations[1]" in examples_of(data.drops)[reason]
    assert image.absent_of(data.categories) == []


def test_an_unknown_object_is_no_second_one_of_what_is_there(tmp_path: Path) -> None:
    data = read(tmp_path, annotations=[GOOD, GOOD | {"id": 2, "category_id": None}])
    assert [item.category for item in data.images[0].single_instances()] == ["dog"]


def test_boxes_of_segmentations(tmp_path: Path) -> None:
    polygon = [[10, 10, 30, 10, 30, 40, 10, 40]]
    bare = {key: value for key, value in GOOD.items() if key != "bbox"}
    data = read(tmp_path, annotations=[bare | {"segmentation": polygon}])
    assert data.images[0].objects[0].box == Box(10, 10, 30, 40)
    assert data.drops == {"boxes made of segmentations": 1}


def test_sizes_of_the_pictures_themselves(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    for sides in ({"width": -1, "height": -1}, {"width": None}, {"width": 640.5}, {"height": "?"}):
        path = write(tmp_path, images=[IMAGE | sides])
        data = annotations.read("coco", path, images=tmp_path)
        assert (data.images[0].width, data.images[0].height) == (64, 48)
        assert data.drops == {"pictures whose size was read from their file": 1}
    with pytest.raises(InputError, match=r"images\[0\] \(id 1\) is -1 × -1 pixels"):
        read(tmp_path, images=[IMAGE | {"width": -1, "height": -1}])
    other = {"id": 2, "file_name": "b.jpg", "width": 0, "height": 0}
    lost = read(tmp_path, images=[IMAGE, other], annotations=[GOOD, GOOD | {"image_id": 2}])
    assert lost.drops["pictures without a size"] == 1
    assert lost.drops["annotations of images that cannot be used"] == 1


def test_a_test_set_without_annotations_says_nothing_about_absence(tmp_path: Path) -> None:
    data = read(tmp_path, annotations=...)
    assert data.drops == {"files without annotations": 1}
    assert data.images[0].absent_of(data.sought()) == []


def test_categories_with_numbers_and_without_names(tmp_path: Path) -> None:
    kinds = [{"id": "1", "name": 7}, {"id": 2, "name": None}, {"name": "x"}]
    data = read(tmp_path, categories=kinds)
    assert data.categories == ("7",)
    assert data.drops["categories without a name or an id"] == 2


def test_a_picture_with_two_entries(tmp_path: Path) -> None:
    two = [GOOD, GOOD | {"id": 2, "image_id": 2, "category_id": 2}]
    data = read(tmp_path, images=[IMAGE, IMAGE | {"id": 2}], annotations=two)
    (image,) = data.images
    assert [item.category for item in image.objects] == ["dog", "cat"]
    data = read(tmp_path, images=[IMAGE, IMAGE | {"id": 2, "width": 50}], annotations=two)
    (image,) = data.images
    assert [item.category for item in image.objects] == ["dog"]
    assert image.absent_of(data.categories) == []


@pytest.mark.parametrize("key", ["1", "01", 1.0, "a.jpg", "a", " 1"])
def test_ids_that_are_written_otherwise(tmp_path: Path, key: Any) -> None:
    data = read(tmp_path, annotations=[GOOD | {"image_id": key}])
    assert [item.category for item in data.images[0].objects] == ["dog"]


def test_ids_that_fit_two_pictures_match_none(tmp_path: Path) -> None:
    images = [IMAGE | {"id": "01"}, IMAGE | {"id": "001", "file_name": "b.jpg"}]
    data = read(tmp_path, images=images)
    assert data.drops == {"annotations of unknown images": 1}
    assert all(image.absent_of(["dog"]) == [] for image in data.images)


def test_lost_annotations_may_be_of_any_picture_without_some(tmp_path: Path) -> None:
    other = IMAGE | {"id": 2, "file_name": "b.jpg"}
    rows = [GOOD, GOOD | {"id": 2, "image_id": 77, "category_id": 2}]
    data = read(tmp_path, images=[IMAGE, other], annotations=rows)
    assert data.images[0].absent_of(data.categories) == ["cat"]
    assert data.images[1].absent_of(data.categories) == ["dog"]


def test_repeated_ids_of_different_things_are_kept(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"bbox": [1, 2, 3, 4]}, GOOD | {"category_id": 2, "bbox": [5, 5, 9, 9]}]
    data = read(tmp_path, annotations=[*rows, GOOD])
    assert len(data.images[0].objects) == 3
    assert data.drops == {
        "annotations with a repeated id": 1,
        "annotations with a repeated id, kept as others": 2,
    }


@pytest.mark.parametrize(
    "fields",
    [
        {"images": None},
        {"images": [3, {"id": 2}]},
        {"categories": [{"id": 1}]},
        {"annotations": "none"},
        {"annotations": [GOOD | {"bbox": None}]},
    ],
)
def test_only_a_file_of_which_nothing_can_be_used_is_refused(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="not a COCO detection file"):
        read(tmp_path, **fields)
