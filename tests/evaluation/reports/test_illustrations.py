from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from locvlm.errors import InputError
from locvlm.evaluation.reports.illustrations import (
    FOUND_COLOUR,
    LONG_SIDE,
    TRUE_COLOUR,
    encode_jpeg,
    illustrate,
    pick,
)
from locvlm.evaluation.task import Mark


@pytest.mark.parametrize("size", [(1, 1), (300, 200), (1000, 1), (1600, 1200)])
def test_small_copy_of_any_size(tmp_path, size):
    Image.new("RGB", size, "white").save(tmp_path / "a.png")
    small = illustrate(tmp_path / "a.png", [Mark("dog", (0, 0, *size))], (0, 0, *size))
    assert max(small.size) == min(LONG_SIDE, max(size))


def test_boxes_are_scaled_with_the_picture(tmp_path):
    Image.new("RGB", (1600, 800), "white").save(tmp_path / "a.png")
    small = illustrate(tmp_path / "a.png", [Mark("", (800, 400, 1600, 800))], (0, 0, 400, 400))
    assert small.getpixel((200, 150)) == ImageColor.getrgb(TRUE_COLOUR)
    assert small.getpixel((99, 90)) == ImageColor.getrgb(FOUND_COLOUR)
    assert small.getpixel((150, 50)) == (255, 255, 255)


def test_missing_picture(tmp_path):
    with pytest.raises(InputError, match=r"a\.png"):
        illustrate(tmp_path / "a.png", [], None)


def test_jpeg():
    assert Image.open(BytesIO(encode_jpeg(Image.new("RGB", (9, 5))))).size == (9, 5)


@given(st.lists(st.tuples(st.booleans(), st.integers())), st.integers(0, 20), st.integers(0, 5))
def test_pick_takes_groups_in_turn(pairs, count, seed):
    picked = pick(pairs, count, seed=seed)
    assert len(picked) == min(count, len(pairs))
    assert all(picked.count(pair) <= pairs.count(pair) for pair in picked)
    taken = [sum(key == hit for key, _ in picked) for hit in (True, False)]
    there = [sum(key == hit for key, _ in pairs) for hit in (True, False)]
    if min(there) >= count // 2 + 1:
        assert abs(taken[0] - taken[1]) <= 1


def test_pick_repeats_by_seed():
    pairs = [(i % 3, i) for i in range(60)]
    assert pick(pairs, 9, seed=1) == pick(pairs, 9, seed=1) != pick(pairs, 9, seed=2)
