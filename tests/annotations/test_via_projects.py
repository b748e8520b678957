import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.via import read_via
from locvlm.errors import InputError
from locvlm.geometry import coords_of

CLASS = {"aname": "class", "anchor_id": "FILE1_Z0_XY1", "type": 4, "options": {"0": "cat"}}
DOG = [2, 4, 6, 20, 15]


@pytest.fixture
def folder(tmp_path: Path, jpeg: Callable[..., bytes]) -> Path:
    (tmp_path / "a.jpg").write_bytes(jpeg())  # 40 × 30
    return tmp_path


def read(folder: Path, *regions: Any, **changes: Any) -> AnnotationSet:
    tree = {
        "project": {"pid": "__VIA_PROJECT_ID__", "pname": "x"},
        "config": {},
        "attribute": {"1": CLASS},
        "file": {"1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": ""}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {
            f"1_{i}": {"vid": "1", "flg": 0, "z": [], "xy": xy, "av": av}
            for i, (xy, av) in enumerate(regions)
        },
    }
    path = folder / "via.json"
    path.write_text(json.dumps(tree | changes))
    assert annotations.detect_format(path)[0] == "via"
    return read_via(path, images=folder)


def boxes(data: AnnotationSet) -> list[tuple[float, ...]]:
    return [coords_of(item.box) for image in data.images for item in image.objects]


def test_a_rectangle(folder: Path) -> None:
    data = read(folder, (DOG, {"1": "0"}))
    assert boxes(data) == [(4, 6, 24, 21)]
    assert data.categories == ("cat",)
    assert not data.drops


@pytest.mark.parametrize(
    ("attribute", "value", "names"),
    [
        ({"aname": "class", "type": 1}, "a dog", ("a dog",)),
        ({"aname": "class", "type": 2, "options": {"0": "cat", "1": "dog"}}, "0,1", ("cat", "dog")),
        ({"aname": "class", "type": 3, "options": {"a": "cow"}}, "a", ("cow",)),
    ],
)
def test_values(folder: Path, attribute: Any, value: str, names: Any) -> None:
    assert read(folder, (DOG, {"1": value}), attribute={"1": attribute}).categories == names


@pytest.mark.parametrize(
    ("xy", "box"),
    [
        ([3, 20, 15, 5], (15, 10, 25, 20)),
        ([4, 20, 15, 8, 5], (12, 10, 28, 20)),
        ([7, 4, 6, 24, 6, 24, 21], (4, 6, 24, 21)),
        ([6, 4, 6, 24, 6, 24, 21], (4, 6, 24, 21)),
        ([8, 10, 6, 4, 9, 20, 21, 24, 12], (4, 6, 24, 21)),
        ([9, 20, 10, 25, 15, 20, 20], (15, 10, 25, 20)),
    ],
)
def test_shapes(folder: Path, xy: list[float], box: tuple[float, ...]) -> None:
    [found] = boxes(read(folder, (xy, {"1": "0"})))
    assert all(math.isclose(a, b) for a, b in zip(found, box, strict=True))


def test_points_clips_and_whole_pictures_are_counted(folder: Path) -> None:
    files = {"1": {"fname": "a.jpg", "type": 2}, "2": {"fname": "b.mp4", "type": 4}}
    clip = {"vid": "2", "z": [1.5], "xy": DOG, "av": {"1": "0"}}
    own = {"vid": "1", "xy": [1, 5, 5], "av": {"1": "0"}}
    whole = {"vid": "1", "xy": [], "av": {}}
    data = read(
        folder,
        file=files,
        view={"1": {"fid_list": ["1"]}, "2": {"fid_list": ["2"]}},
        metadata={"a": clip, "b": own, "c": whole},
    )
    assert sum(data.drops.values()) == 4
    assert data.images[0].not_exhaustive == ("cat",)


@pytest.mark.parametrize(
    ("xy", "said"),
    [
        ([2, 1, 2], "metadata '1_0': a rect has 2 numbers, not 4"),
        ([12, 1, 2, 3, 4], "a shape of an unknown kind"),
        ([9, 1, 1, 2, 2, 3, 3], "lie on a line"),
    ],
)
def test_broken_shapes(folder: Path, xy: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(folder, (xy, {"1": "0"}))
