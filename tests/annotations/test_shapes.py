"""Upright boxes around shapes; what they lose is counted."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.shapes import (
    Drawing,
    DrawnImage,
    Shape,
    around,
    build_annotation_set,
    corners_of,
    ellipse_around,
    pixels,
    turn,
)
from locvlm.errors import InputError
from locvlm.geometry import Box

NUMBERS = st.floats(-100, 100)


@given(NUMBERS, NUMBERS, st.floats(0, 100), st.floats(0, 100), st.floats(-720, 720))
def test_turning_there_and_back(x: float, y: float, w: float, h: float, degrees: float) -> None:
    corners = corners_of(x, y, x + w, y + h)
    back = turn(turn(corners, degrees, (x, y)), -degrees, (x, y))
    for (a, b), (c, d) in zip(corners, back, strict=True):
        assert math.isclose(a, c, abs_tol=1e-6)
        assert math.isclose(b, d, abs_tol=1e-6)


def test_a_quarter_turn_is_clockwise() -> None:
    [(x, y)] = turn([(10, 0)], 90, (0, 0))
    assert (x, y) == pytest.approx((0, 10))  # right goes down


@given(NUMBERS, NUMBERS, st.floats(0.1, 50), st.floats(0.1, 50), st.floats(-360, 360))
def test_around_an_ellipse(cx: float, cy: float, rx: float, ry: float, degrees: float) -> None:
    steps = [math.tau * step / 360 for step in range(360)]
    edge = [(cx + rx * math.cos(t), cy + ry * math.sin(t)) for t in steps]
    drawn = around(turn(edge, degrees, (cx, cy)), "")
    told = around(ellipse_around(cx, cy, rx, ry, degrees), "")
    assert told == pytest.approx(drawn, abs=0.02)


def test_no_points() -> None:
    with pytest.raises(InputError, match="here: has no points"):
        around([], "here")


def test_a_set() -> None:
    shapes = [
        Shape("dog", "", pixels([(1, 2), (3, 4)]), "a"),
        Shape("cat", "polygons", pixels([(1, 2), (3, 4), (2, 9)]), "b"),
        Shape("cow", "points", None, "c"),
    ]
    drawn = [DrawnImage(1, ("a.jpg",), (10, 10), "", shapes)] * 2
    made = Drawing(drawn, ["owl"])
    data = build_annotation_set("cvat", lambda *_: made, Path("x"), None, None)
    [image] = data.images
    assert [(item.category, item.box) for item in image.objects] == [
        ("dog", Box(1, 2, 3, 4)),
        ("cat", Box(1, 2, 3, 9)),
    ]
    assert image.absent_of(data.categories) == ["owl"]  # the cow is there, without a box
    assert data.drops == {
        "annotations of a picture that was there before": 1,
        "polygons, of which the upright box around them is taken": 1,
        "points, which have no box": 1,
    }


def test_sizes_of_the_files_need_a_folder() -> None:
    with pytest.raises(InputError, match="here: does not tell the size of its picture"):
        made = Drawing([DrawnImage(1, ("a",), None, "here")])
        build_annotation_set("cvat", lambda *_: made, Path("x"), None, None)
