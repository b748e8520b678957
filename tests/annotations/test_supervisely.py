import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.supervisely import read_supervisely
from locvlm.errors import InputError
from locvlm.geometry import coords_of


def thing(kind: str = "rectangle", points: Any = ((4, 6), (23, 20)), **more: Any) -> dict[str, Any]:
    return {"classTitle": "dog", "geometryType": kind, "points": {"exterior": points}} | more


def read(folder: Path, *objects: Any, **options: Any) -> AnnotationSet:
    file = folder / "ds0" / "ann" / "7.jpg.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    size = {"width": 40, "height": 30}
    file.write_text(json.dumps({"size": size, "objects": objects}))
    (folder / "meta.json").write_text(json.dumps({"classes": [{"title": "cat"}]}))
    assert annotations.detect_format(folder)[0] == "supervisely"
    return read_supervisely(folder, **options)


def boxes(data: AnnotationSet) -> list[tuple[float, ...]]:
    return [coords_of(item.box) for image in data.images for item in image.objects]


def test_corners_belong_to_a_rectangle(tmp_path: Path) -> None:
    data = read(tmp_path, thing(), thing(points=[(39, 29), (10, 0)]))
    assert boxes(data) == [(4, 6, 24, 21), (10, 0, 40, 30)]
    assert data.categories == ("cat", "dog")
    assert data.images[0].file_name == "ds0/img/7.jpg"
    assert not data.drops
    assert boxes(read(tmp_path, thing(), boxes="xyxy")) == [(4, 6, 23, 20)]
    assert not read(tmp_path, thing(points=[(0, 0), (40, 30)])).drops  # as later versions draw


def bitmap(width: int, height: int) -> str:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return base64.b64encode(zlib.compress(out.getvalue())).decode()


def test_other_shapes(tmp_path: Path) -> None:
    mask = {"data": bitmap(20, 15), "origin": [4, 6]}
    data = read(
        tmp_path,
        thing("polygon", [(4, 6), (24, 6), (24, 21)]),
        thing("bitmap", bitmap=mask, points=None),
        thing("point", [(3, 3)]),
        {"classTitle": "owl", "geometryType": "graph", "nodes": {}},
        {"classTitle": "cow", "geometryType": "cuboid_3d"},
    )
    assert boxes(data) == [(4, 6, 24, 21)] * 2
    assert data.images[0].not_exhaustive == ("dog", "owl", "cow")
    assert sorted(data.drops.values()) == [1, 1, 1, 1, 1]


def test_a_data_set_of_a_project(tmp_path: Path, jpeg: Callable[..., bytes]) -> None:
    read(tmp_path, thing())
    images = tmp_path / "ds0" / "img"
    images.mkdir()
    (images / "7.jpg").write_bytes(jpeg())
    for path in (tmp_path, tmp_path / "ds0", tmp_path / "ds0" / "ann"):
        for folder in (tmp_path, tmp_path / "ds0", images):
            data = read_supervisely(path, images=folder)
            assert boxes(data) == [(4, 6, 24, 21)]
            assert data.categories == ("cat", "dog")


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (thing("bitmap", bitmap={"data": "AAAA", "origin": [0, 0]}), "its bitmap is no PNG"),
        (thing(points=[[1]]), r"its points are not exterior"),
        (thing(classTitle=" "), "has no classTitle"),
    ],
)
def test_broken(tmp_path: Path, item: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"object 0: {said}"):
        read(tmp_path, item)


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no ann/\*\.json"):
        read_supervisely(tmp_path)


def project(folder: Path, images: dict[str, list[Any]]) -> Path:
    for place, tags in images.items():
        file = folder / place.replace("/", "/ann/", 1)
        file = file.with_name(f"{file.name}.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        size = {"width": 40, "height": 30}
        file.write_text(json.dumps({"size": size, "objects": [thing()], "tags": tags}))
    (folder / "meta.json").write_text(json.dumps({"classes": [{"title": "cat"}]}))
    return folder


def test_data_sets_called_as_splits_are_splits(tmp_path: Path) -> None:
    path = project(tmp_path, {"ds_train/1.jpg": [], "val/2.jpg": [], "more/3.jpg": []})
    data = annotations.read("supervisely", path)
    assert [(image.file_name, image.split) for image in data.images] == [
        ("ds_train/img/1.jpg", "train")
    ]
    assert (data.splits, data.options) == (("train", "val"), {"split": "train"})
    assert data.drops == {"pictures that belong to no split": 1}
    assert [image.split for image in annotations.read("supervisely", path, split="all").images] == [
        *("train", "", "val")
    ]
    alone = annotations.read("supervisely", path / "val")
    assert (alone.splits, alone.images[0].split) == (("val",), "val")


def test_tags_of_images_are_splits(tmp_path: Path) -> None:
    train, val = [{"name": "train", "value": None}], [{"name": "val"}, {"name": "blurred"}]
    path = project(tmp_path, {"ds0/1.jpg": train, "ds0/2.jpg": val, "ds0/3.jpg": train})
    assert [image.id for image in annotations.read("supervisely", path).images] == [
        *("ds0/1.jpg", "ds0/3.jpg")
    ]
    (held_out,) = annotations.read("supervisely", path, split="val").images
    assert (held_out.id, held_out.split) == ("ds0/2.jpg", "val")


def test_data_sets_of_other_names_are_no_splits(tmp_path: Path) -> None:
    data = annotations.read("supervisely", project(tmp_path, {"ds0/1.jpg": [], "b/2.jpg": [7]}))
    assert (len(data.images), data.splits, data.options) == (2, (), {})
