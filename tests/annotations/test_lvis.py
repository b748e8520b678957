import json
from pathlib import Path
from typing import Any

import pytest

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.lvis import read_lvis
from locvlm.errors import InputError

CATEGORIES = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 3, "name": "beer_can"}]
URL = "http://images.cocodataset.org/val2017/7.jpg"


def read(folder: Path, bbox: Any = (0, 0, 2, 2), **image: Any) -> AnnotationSet:
    picture = {"id": 7, "width": 9, "height": 9, "coco_url": URL, "neg_category_ids": []} | image
    box = {"id": 1, "image_id": 7, "category_id": 1, "bbox": bbox}
    tree = {"images": [picture], "annotations": [box], "categories": CATEGORIES}
    path = folder / "lvis.json"
    path.write_text(json.dumps(tree))
    return read_lvis(path)


def test_nothing_is_absent_that_was_not_looked_for(tmp_path: Path) -> None:
    data = read(tmp_path)
    assert data.images[0].absent == ()
    assert data.images[0].absent_of(data.categories) == []


def test_absent_is_what_was_looked_for(tmp_path: Path) -> None:
    assert read(tmp_path, neg_category_ids=[3, 2]).images[0].absent == ("beer can", "cat")


def test_not_exhaustive_is_never_absent(tmp_path: Path) -> None:
    data = read(tmp_path, neg_category_ids=[2, 3], not_exhaustive_category_ids=[3])
    assert data.images[0].absent == ("cat",)


def test_of_what_is_not_exhaustive_nobody_knows_how_many(tmp_path: Path) -> None:
    assert len(read(tmp_path).images[0].single_instances()) == 1
    (image,) = read(tmp_path, not_exhaustive_category_ids=[1, 2, 1]).images
    assert image.not_exhaustive == ("dog", "cat")
    assert [item.category for item in image.objects] == ["dog"]
    assert image.single_instances() == []


def test_a_box_that_is_left_out_and_what_is_not_exhaustive(tmp_path: Path) -> None:
    (image,) = read(tmp_path, width=1, not_exhaustive_category_ids=[2], neg_category_ids=[3]).images
    assert image.absent_of(["dog", "cat", "beer can"]) == ["beer can"]
    (image,) = read(tmp_path, bbox=[9, 0, 1, 1], not_exhaustive_category_ids=[2]).images
    assert image.not_exhaustive == ("dog", "cat")


def test_names_have_spaces(tmp_path: Path) -> None:
    assert read(tmp_path).categories == ("dog", "cat", "beer can")


def test_file_names(tmp_path: Path) -> None:
    assert read(tmp_path).images[0].file_name == "val2017/7.jpg"
    assert read(tmp_path, file_name="a.jpg").images[0].file_name == "a.jpg"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"neg_category_ids": [9]}, r"images\[0\].neg_category_ids: the category 9 is not"),
        (
            {"not_exhaustive_category_ids": [1, 9]},
            r"images\[0\].not_exhaustive_category_ids: the category 9 is not",
        ),
        ({"neg_category_ids": None}, r"\$.images\[0\].neg_category_ids"),
        ({"coco_url": ""}, "neither file_name nor coco_url"),
        ({"coco_url": "http://a/b/.."}, "does not stay"),
        ({"coco_url": "http://[a"}, "neither file_name nor coco_url"),
    ],
)
def test_what_cannot_be_read(image: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, **image)


def test_coco_is_not_lvis(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    image = {"id": 7, "width": 9, "height": 9, "file_name": "a.jpg"}
    path.write_text(json.dumps({"images": [image], "annotations": [], "categories": CATEGORIES}))
    with pytest.raises(InputError, match="LVIS.*neg_category_ids"):
        read_lvis(path)
