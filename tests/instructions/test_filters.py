"""Objects that are not asked about are present all the same, and counted."""

from collections import Counter
from typing import Any

import pytest

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.filters import AT_EDGE, LARGE, SMALL, ObjectLimits


def left_out(box: Box, crowd: bool = False, **limits: Any) -> dict[str, int]:
    """The reason why a lone object is not asked about, in a picture of 100 × 100."""
    drops: Counter[str] = Counter()
    image = AnnotatedImage(1, "1.jpg", 100, 100, (Object("dog", box, crowd),))
    kept = ObjectLimits(**limits).apply(image, drops)
    assert [item.box for item in kept.objects] == [box]
    assert kept.objects[0].crowd == (crowd or bool(drops))
    return dict(drops)


WHOLE = Box(0, 0, 100, 100)


def test_no_limits() -> None:
    assert left_out(WHOLE) == {}
    assert left_out(Box(0, 0, 0.1, 0.1)) == {}


@pytest.mark.parametrize(("side", "expected"), [(49, {}), (50, {}), (51, {LARGE: 1})])
def test_max_area(side: int, expected: dict[str, int]) -> None:
    assert left_out(Box(0, 0, side, side), max_area=0.25) == expected


@pytest.mark.parametrize(("side", "expected"), [(49, {SMALL: 1}), (50, {})])
def test_min_area(side: int, expected: dict[str, int]) -> None:
    assert left_out(Box(0, 0, side, side), min_area=0.25) == expected


@pytest.mark.parametrize(
    ("box", "edge", "expected"),
    [
        (Box(0, 10, 20, 20), 0, {AT_EDGE: 1}),
        (Box(0.5, 10, 20, 20), 0, {}),
        (Box(3, 10, 20, 20), 3, {AT_EDGE: 1}),
        (Box(10, 3, 20, 20), 3, {AT_EDGE: 1}),
        (Box(10, 10, 97, 20), 3, {AT_EDGE: 1}),
        (Box(10, 10, 20, 97), 3, {AT_EDGE: 1}),
        (Box(3.1, 3.1, 96.9, 96.9), 3, {}),
    ],
)
def test_edge(box: Box, edge: float, expected: dict[str, int]) -> None:
    assert left_out(box, edge=edge) == expected


def test_counted_once() -> None:
    assert left_out(WHOLE, max_area=0.5, edge=2) == {LARGE: 1}


def test_crowds_are_not_counted() -> None:
    assert left_out(WHOLE, crowd=True, max_area=0.5, edge=2) == {}


@pytest.mark.parametrize(
    "limits",
    [
        {"min_area": 1.0},
        {"max_area": 1.1},
        {"min_area": 0.5, "max_area": 0.4},
        {"max_area": float("nan")},
        {"edge": -1.0},
        {"edge": float("inf")},
        {"edge": float("nan")},
    ],
)
def test_out_of_range(limits: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"^{[*limits][-1]} is"):
        ObjectLimits(**limits)
