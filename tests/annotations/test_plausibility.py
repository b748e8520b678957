import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.plausibility import check_boxes
from locvlm.errors import InputError
from locvlm.geometry import coords_of

WIDTH, HEIGHT = 640, 480
CORNERS = [(300 + 5 * i, 200, 460 + 5 * i, 400) for i in range(8)]


def write(folder: Path, boxes: Any) -> Path:
    path = folder / "boxes.json"
    size = {"width": WIDTH, "height": HEIGHT}
    tree = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **size} for i in range(len(boxes))],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": list(box)}
            for i, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "box"}],
    }
    path.write_text(json.dumps(tree))
    return path


def read(folder: Path, written: Any, **options: Any) -> AnnotationSet:
    return annotations.read("coco", write(folder, written), **options)


def boxes_of(data: AnnotationSet) -> list[tuple[float, ...]]:
    return [coords_of(item.box) for image in data.images for item in image.objects]


def refuse(folder: Path, boxes: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, boxes)
    message = str(caught.value)
    assert "\n" not in message
    return message


def xywh(box: Any) -> tuple[float, ...]:
    x1, y1, x2, y2 = box
    return (x1, y1, x2 - x1, y2 - y1)


def cxcywh(box: Any) -> tuple[float, ...]:
    x1, y1, x2, y2 = box
    return ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def shares(box: Any) -> tuple[float, ...]:
    return tuple(n / side for n, side in zip(box, (WIDTH, HEIGHT) * 2, strict=True))


@pytest.mark.parametrize(
    ("written", "flag"),
    [
        (CORNERS, "xyxy"),
        ([cxcywh((x1 + 60, y1 + 70, 640, 480)) for x1, y1, *_ in CORNERS], "cxcywh"),
        ([shares(xywh(box)) for box in CORNERS], "shares"),
        ([shares(box) for box in CORNERS], "shares-xyxy"),
        ([shares(cxcywh((x1, y1, 640, 480))) for x1, y1, *_ in CORNERS], "shares-cxcywh"),
    ],
)
def test_what_the_numbers_prove_is_refused_and_the_flag_reads_it(
    tmp_path: Path, written: Any, flag: str
) -> None:
    assert f"--boxes {flag} reads them so" in refuse(tmp_path, written)
    data = read(tmp_path, written, boxes=flag)
    assert not data.drops
    assert data.options == {"boxes": flag}
    if flag in ("xyxy", "shares", "shares-xyxy"):
        assert np.allclose(boxes_of(data), CORNERS)


def test_the_flag_of_the_format_takes_boxes_as_they_are(tmp_path: Path) -> None:
    assert read(tmp_path, CORNERS, boxes="xywh").drops == {"boxes clipped to the picture": 8}


def test_an_unknown_form(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown form of boxes 'yxyx'"):
        read(tmp_path, CORNERS, boxes="yxyx")


def test_few_boxes_prove_nothing(tmp_path: Path) -> None:
    data = read(tmp_path, CORNERS[:3])
    assert data.drops == {"boxes clipped to the picture": 3}
    assert "annotations[0].bbox (id 0)" in data.drops.examples["boxes clipped to the picture"]  # type: ignore[attr-defined]


def test_boxes_of_larger_pictures(tmp_path: Path) -> None:
    large = [(700 + 30 * i, 500 + 20 * i, 100, 90) for i in range(10)]
    assert "pictures 2" in refuse(tmp_path, [*large, (1180, 860, 100, 100)])


def test_some_odd_boxes_are_counted_alone(tmp_path: Path) -> None:
    good = [xywh(box) for box in CORNERS] * 3
    data = read(tmp_path, [*good, (600, 0, 100, 100), (0, 0, 0, 9), (900, 0, 9, 9)])
    assert sorted(data.drops.values()) == [1, 1, 1]
    assert data.remarks == ()


def test_what_may_be_right_is_told(tmp_path: Path) -> None:
    thin = [(10 * i, 10, 0.5, 40) for i in range(12)]
    assert read(tmp_path, thin).remarks == ("12 of 12 boxes are narrower than a pixel",)
    assert read(tmp_path, [(1, 2, 30, 40)] * 12).remarks == ("12 of 12 boxes are the same",)


def test_a_table_with_sizes_in_place_of_corners(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = ["image,width,height,category,x1,y1,x2,y2"]
    rows += [
        f"{i}.jpg,640,480,box,{','.join(map(str, xywh(box)))}" for i, box in enumerate(CORNERS)
    ]
    path.write_text("\n".join(rows))
    with pytest.raises(InputError, match="--boxes xywh reads them so"):
        annotations.read("table", path)
    assert boxes_of(annotations.read("table", path, boxes="xywh")) == CORNERS


@given(st.data())
def test_boxes_inside_their_pictures_are_never_refused(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 40))
    rows = []
    for _ in range(count):
        width, height = (data.draw(st.integers(16, 4000)) for _ in range(2))
        x = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
        y = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
        rows.append((x[0], y[0], x[1], y[1], width, height))
    table = np.array(rows, np.float64).reshape(-1, 6)
    for own in ("xywh", "xyxy", "cxcywh"):
        check_boxes(Path("some.json"), table, own, takes_forms=True)
