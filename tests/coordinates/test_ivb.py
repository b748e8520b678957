"""IVB: the worked example of arXiv 2404.07449, its scale and its rounding."""

from typing import Any

import pytest

import locvlm.coordinates
from locvlm.coordinates.ivb import IVB
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Point, coords_of


def test_the_papers_example() -> None:
    ivb = locvlm.coordinates.get("ivb", bins=224)
    assert ivb.encode(Box(10, 120, 30, 145), (512, 512)) == "(4,52,13,63)"
    assert ivb.encode(Point(20, 132.5), (512, 512)) == "(9,58)"


def test_the_default_is_the_papers_small_model() -> None:
    assert IVB() == IVB(bins=224)
    assert IVB().options == {"bins": 224}


def test_the_large_models_bins() -> None:
    assert IVB(bins=336).encode(Box(10, 120, 30, 145), (512, 512)) == "(7,79,20,95)"


def test_a_tie_goes_to_the_even_bin_in_every_frame() -> None:
    """120 of 512 is bin 52.5 exactly, however long the way of the floats to it."""
    for frame in (Frame.resize((512, 512), 224), Frame.resize((512, 512), 333), (512, 512)):
        assert IVB().encode(Point(120, 360), frame) == "(52,158)"  # 52.5 and 157.5
    squashed = Frame.resize((640, 640), 224)
    assert coords_of(squashed.apply(Point(90, 0)))[0] != 31.5  # the floats miss the tie ...
    assert IVB().encode(Point(90, 0), squashed) == "(32,0)"  # ... and the text does not


def test_each_axis_has_its_own_scale() -> None:
    assert IVB(bins=100).encode(Box(0, 0, 640, 480), (640, 480)) == "(0,0,100,100)"
    assert IVB(bins=100).encode(Point(64, 48), (640, 480)) == "(10,10)"
    assert IVB(bins=100).parse("(10,10)", (640, 480)) == [Point(64, 48)]


def test_padding_takes_bins() -> None:
    frame = Frame.pad_to_square((400, 200), 336)
    assert IVB(bins=100).encode(Box(0, 0, 400, 200), frame) == "(0,25,100,75)"


@pytest.mark.parametrize("bins", [0, -1, 1.5, 224.0, "224", None, True])
def test_bins_must_be_a_whole_number(bins: Any) -> None:
    with pytest.raises(InputError, match="ivb: bins must be a whole number of at least 1"):
        locvlm.coordinates.get("ivb", bins=bins)
