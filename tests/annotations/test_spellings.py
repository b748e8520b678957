import json
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet


def coco(folder: Path, boxes: list[tuple[int, int]], *names: str) -> AnnotationSet:
    size = {"width": 100, "height": 100}
    tree: dict[str, Any] = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(3)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        "annotations": [
            {"id": i, "image_id": image, "category_id": category, "bbox": [i, 0, 9, 9]}
            for i, (image, category) in enumerate(boxes)
        ],
    }
    path = folder / "a.json"
    path.write_text(json.dumps(tree))
    return annotations.read("coco", path)


@pytest.mark.parametrize("names", [("Car", "car"), ("traffic light", "Traffic-Light")])
def test_the_other_is_not_absent_beside_one(tmp_path: Path, names: tuple[str, str]) -> None:
    one, other = names
    data = coco(tmp_path, [(0, 0), (1, 0), (1, 1), (2, 2)], *names, "dog")
    assert [image.absent_of(data.categories) for image in data.images] == [
        ["dog"],
        ["dog"],
        [one, other],
    ]
    assert [[item.category for item in image.single_instances()] for image in data.images] == [
        [one],
        [],
        ["dog"],
    ]
    [remark] = data.remarks
    assert f"{one!r}, {other!r}" in remark


def test_letters_and_other_names_stay(tmp_path: Path) -> None:
    data = coco(tmp_path, [(0, 0), (0, 1), (1, 2)], "k", "K", "cars", "car")
    assert data.images[0].not_exhaustive == ()
    assert not any("differ" in remark for remark in data.remarks)


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "image,width,height,category,x1,y1,x2,y2\n"
        "7.jpg,40,30,Dog,1,2,9,9\n8.jpg,40,30,dog,1,2,9,9\n9.jpg,40,30,,,,,\n"
    )
    data = annotations.read("table", path)
    absent = [image.absent_of(data.categories) for image in data.images]
    assert absent == [[], [], ["Dog", "dog"]]
    assert [image.objects[0].category for image in data.images[:2]] == ["Dog", "dog"]


def test_numbers_for_names_are_told(tmp_path: Path) -> None:
    [remark] = coco(tmp_path, [(0, 0), (1, 1)], "0", "1").remarks
    assert remark.startswith("all categories are numbers (0, 1), which questions will ask for")
