import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.labelme import read_labelme
from locvlm.errors import InputError
from locvlm.geometry import coords_of


def write(folder: Path, *shapes: dict[str, Any], name: str = "a.jpg", **more: Any) -> Path:
    tree = {"version": "5", "flags": {}, "shapes": [*shapes], "imagePath": name, "imageData": None}
    path = folder / "a.json"
    path.write_text(json.dumps({**tree, "imageHeight": 80, "imageWidth": 100, **more}))
    return path


def shape(kind: str, *points: tuple[float, float], **more: Any) -> dict[str, Any]:
    return {"label": "dog", "points": points, "shape_type": kind, "group_id": None, **more}


def boxes(data: AnnotationSet) -> list[tuple[float, ...]]:
    return [coords_of(item.box) for image in data.images for item in image.objects]


@pytest.mark.parametrize(
    ("item", "box", "lost"),
    [
        (shape("rectangle", (50, 60), (10, 20)), (10, 20, 50, 60), ""),
        (shape("polygon", (10, 20), (50, 20), (30, 60)), (10, 20, 50, 60), "polygons"),
        (shape("circle", (30, 40), (30, 50)), (20, 30, 40, 50), "circles"),
        (shape("mask", (10, 20), (50, 60), mask="x"), (10, 20, 50, 60), "masks"),
        (shape("linestrip", (10, 20), (50, 60)), (10, 20, 50, 60), "lines"),
        (
            shape("rotation", (30, 20), (50, 40), (30, 60), (10, 40)),
            (10, 20, 50, 60),
            "rotated boxes",
        ),
    ],
)
def test_shapes(item: dict[str, Any], box: tuple[float, ...], lost: str, tmp_path: Path) -> None:
    path = write(tmp_path, item)
    assert annotations.detect_format(path)[0] == "labelme"
    data = read_labelme(path)
    assert boxes(data) == [box]
    wanted = {f"{lost}, of which the upright box around them is taken": 1} if lost else {}
    assert data.drops == wanted


def test_points_are_there_without_a_box(tmp_path: Path) -> None:
    data = read_labelme(write(tmp_path, shape("point", (1, 2))))
    assert data.images[0].not_exhaustive == ("dog",)
    assert data.drops == {"points, which have no box": 1}


def test_parts_of_one_thing(tmp_path: Path) -> None:
    parts = [
        shape("polygon", (10, 20), (20, 20), (15, 30), group_id=1),
        shape("polygon", (40, 50), (50, 50), (45, 60), group_id=1),
        shape("polygon", (40, 50), (50, 50), (45, 60), group_id=2),
    ]
    data = read_labelme(write(tmp_path, *parts))
    assert boxes(data) == [(10, 20, 50, 60), (40, 50, 50, 60)]
    assert data.drops["shapes joined to one thing by their group_id"] == 1


@pytest.mark.parametrize(
    "name", ["../photos/a.jpg", "..\\photos\\a.jpg", "C:\\x\\photos\\a.jpg", "a.jpg", "other.jpg"]
)
def test_names(name: str, tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    for folder in ("json", "photos"):
        (tmp_path / folder).mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(jpeg())
    write(tmp_path / "json", name=name)
    assert annotations.detect_format(tmp_path / "json")[0] == "labelme"
    data = read_labelme(tmp_path / "json", images=tmp_path / "photos")
    assert [image.file_name for image in data.images] == ["a.jpg"]


def test_files_of_another_kind_are_counted(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "notes.json").write_text('{"classes": []}')
    assert read_labelme(tmp_path).drops == {"JSON files that are not LabelMe's": 1}
    (tmp_path / "a.json").unlink()
    with pytest.raises(InputError, match="has no JSON files of LabelMe"):
        read_labelme(tmp_path)


def test_old_files_without_a_size(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    path = write(tmp_path, imageHeight=None, imageWidth=None)
    assert read_labelme(path, images=tmp_path).images[0].width == 40
    with pytest.raises(InputError, match="does not tell the size"):
        read_labelme(path)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (shape("heart", (1, 2)), "shape 0: a shape of an unknown kind 'heart'"),
        (shape("circle", (1, 2)), "a circle has 1 points"),
        (shape("polygon"), "has no points"),
        (shape("rectangle", (1, 2), (3, 4), label=""), "has no label"),
        ({"label": "dog"}, "missing required field `points`"),
    ],
)
def test_broken_shapes(item: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_labelme(write(tmp_path, item))
