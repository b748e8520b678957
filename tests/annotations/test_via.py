import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.via import read_via
from locvlm.errors import InputError
from locvlm.geometry import coords_of

RECT = {"name": "rect", "x": 4, "y": 6, "width": 20, "height": 15}


@pytest.fixture
def folder(tmp_path: Path, jpeg: Callable[..., bytes]) -> Path:
    (tmp_path / "a.jpg").write_bytes(jpeg())  # 40 × 30
    return tmp_path


def region(shape: Any = RECT, **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape, "region_attributes": attributes or {"class": "dog"}}


def read(folder: Path, regions: Any, project: bool = False) -> AnnotationSet:
    tree: Any = {"a.jpg99": {"filename": "a.jpg", "size": 99, "regions": regions}}
    path = folder / "via.json"
    path.write_text(
        json.dumps({"_via_settings": {}, "_via_img_metadata": tree} if project else tree)
    )
    assert annotations.detect_format(path)[0] == "via"
    return read_via(path, images=folder)


def boxes(data: AnnotationSet) -> list[tuple[float, ...]]:
    return [coords_of(item.box) for image in data.images for item in image.objects]


@pytest.mark.parametrize("project", [False, True])
def test_a_rectangle(project: bool, folder: Path) -> None:
    data = read(folder, [region()], project)
    assert boxes(data) == [(4, 6, 24, 21)]
    assert data.categories == ("dog",)
    assert not data.drops


def test_version_1_numbers_its_regions(folder: Path) -> None:
    assert boxes(read(folder, {"0": region()})) == [(4, 6, 24, 21)]


@pytest.mark.parametrize(
    ("shape", "box", "kind"),
    [
        (
            {"name": "polygon", "all_points_x": [4, 24, 9], "all_points_y": [6, 9, 21]},
            (4, 6, 24, 21),
            "polygons",
        ),
        ({"name": "circle", "cx": 14, "cy": 15, "r": 10}, (4, 5, 24, 25), "circles"),
        (
            {"name": "ellipse", "cx": 14, "cy": 15, "rx": 10, "ry": 5, "theta": 0},
            (4, 10, 24, 20),
            "ellipses",
        ),
    ],
)
def test_other_shapes(shape: Any, box: tuple[float, ...], kind: str, folder: Path) -> None:
    data = read(folder, [region(shape)])
    assert boxes(data) == [pytest.approx(box)]
    assert data.drops == {f"{kind}, of which the upright box around them is taken": 1}


def test_points_are_there_without_a_box(folder: Path) -> None:
    data = read(folder, [region({"name": "point", "cx": 1, "cy": 2})])
    assert data.images[0].not_exhaustive == ("dog",)


def test_checkboxes_and_regions_without_a_category(folder: Path) -> None:
    data = read(folder, [region(type={"dog": True, "wet": True, "cat": False}), region(type="")])
    assert [item.category for item in data.images[0].objects] == ["dog", "wet"]
    assert data.drops == {"regions without a category": 1}


def test_which_attribute_is_the_category(folder: Path) -> None:
    assert read(folder, [region(colour="red", Label="dog")]).categories == ("dog",)
    assert read(folder, [region(Schaden="dog")]).categories == ("dog",)
    with pytest.raises(InputError, match=r"cannot be told: 'colour, breed'; call it class"):
        read(folder, [region(colour="red", breed="pug")])


@pytest.mark.parametrize("sharp", ["", "#"])
def test_csv(sharp: str, folder: Path) -> None:
    path = folder / "via.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            [
                *(f"{sharp}filename", "file_size", "file_attributes", "region_count", "region_id"),
                *("region_shape_attributes", "region_attributes"),
            ]
        )
        rows.writerow(["a.jpg", 9, "{}", 1, 0, json.dumps(RECT), '{"class": "dog"}'])
    if not sharp:
        assert annotations.detect_format(path)[0] == "via"
    assert boxes(read_via(path, images=folder)) == [(4, 6, 24, 21)]
    path.write_text(path.read_text() + 'b.jpg,9,{},0,0,{"x,{}\n')
    with pytest.raises(InputError, match="line 3"):
        read_via(path, images=folder)


def test_no_folder(folder: Path) -> None:
    read(folder, [])
    with pytest.raises(InputError, match="give the folder of the pictures"):
        read_via(folder / "via.json")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ({"name": "heart"}, "region 0: a shape of an unknown kind 'heart'"),
        ({"name": "rect", "x": "1"}, "region 0, x: '1' is not a number"),
        ({"name": "polygon", "all_points_x": [1]}, "not as many all_points_x"),
    ],
)
def test_broken_shapes(shape: Any, said: str, folder: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(folder, [region(shape)])


def test_a_number_beyond_all_numbers(folder: Path) -> None:
    with pytest.raises(InputError, match="is not a number"):
        read(folder, [region(RECT | {"x": 10**400})])
