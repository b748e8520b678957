from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import Object
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.errors import InputError
from locvlm.geometry import Box

ANY = st.floats(-1e9, 1e9)


def test_found_without_anything() -> None:
    assert ImageFindings().fields() == {"objects": (), "not_exhaustive": ()}


def test_found_with_and_without_boxes() -> None:
    found, box = ImageFindings(), Box(0, 0, 1, 1)
    for category, place in (("dog", box), ("cat", None), ("cat", None), ("dog", None)):
        found.add(category, place, crowd=True)
    assert found.fields() == {
        "objects": (Object("dog", box, crowd=True),),
        "not_exhaustive": ("cat", "dog"),
    }


def test_numbers_that_are_none_name_their_place() -> None:
    with pytest.raises(InputError, match="^a.json: 3.* finite"):
        clip_box((0, 0, float("nan"), 1), (10, 10), Counter(), "a.json: 3")
    with pytest.raises(InputError, match="^a.json: 3.* finite"):
        clip_box((0, 0, float("inf"), 1), (10, 10), Counter(), "a.json: 3")


@given(ANY, ANY, ANY, ANY)
def test_kept_is_inside_and_all_else_is_counted(x1: float, y1: float, x2: float, y2: float) -> None:
    drops = Counter[str]()
    box = clip_box((x1, y1, x2, y2), (100, 50), drops, "")
    if box is None:
        assert +drops in ({"boxes without area": 1}, {"boxes outside the picture": 1})
    else:
        assert 0 <= box.x1 < box.x2 <= 100
        assert 0 <= box.y1 < box.y2 <= 50
        assert box == Box(max(x1, 0), max(y1, 0), min(x2, 100), min(y2, 50))
        assert sum(drops.values()) == (max(-x1, -y1, x2 - 100, y2 - 50) > 0.01)
