"""DIGA: the worked example of arXiv 2404.07449, its anchors, and that it is IVB rewritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.coordinates.diga import DIGA
from locvlm.coordinates.ivb import IVB
from locvlm.errors import InputError
from locvlm.geometry import Box, Location, Point

BINS = 224
SIZE = (BINS, BINS)  # one bin a pixel
whole = st.integers(0, BINS)


@st.composite
def on_bins(draw: st.DrawFn) -> Location:
    x1, x2 = sorted(draw(st.tuples(whole, whole)))
    y1, y2 = sorted(draw(st.tuples(whole, whole)))
    return Box(x1, y1, x2, y2) if draw(st.booleans()) else Point(x1, y1)


def test_the_papers_example() -> None:
    diga = coordinates.get("diga", bins=224)
    assert diga.encode(Box(10, 120, 30, 145), (512, 512)) == "(0,4,3,11,6,0)"
    assert diga.encode(Point(20, 132.5), (512, 512)) == "(0,4,2,-5)"  # (9,58) from (7,63)


@given(on_bins())
def test_it_reads_as_ivb_does(location: Location) -> None:
    diga, ivb = DIGA(), IVB()
    there = diga.parse(diga.encode(location, SIZE), SIZE, strict=True)
    assert there == ivb.parse(ivb.encode(location, SIZE), SIZE, strict=True) == [location]


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (Box(0, 0, 0, 0), "(0,0,7,7,-7,-7)"),
        (Box(0, 0, 224, 224), "(8,8,119,119,105,105)"),  # the center 112 opens cell 8
        (Box(224, 224, 224, 224), "(15,15,-7,-7,7,7)"),  # the far edge is the last cell's
        (Point(224, 0), "(15,0,7,-7)"),
        (Point(7, 7), "(0,0,0,0)"),
        (Box(14, 0, 14, 13), "(1,0,7,7,-7,6)"),  # a side that misses the cell's center
    ],
)
def test_the_corners_of_the_grid(location: Location, text: str) -> None:
    assert DIGA().encode(location, SIZE) == text
    assert DIGA().parse(text, SIZE, strict=True) == [location]


def test_the_large_model_has_24_cells_a_side() -> None:
    diga = DIGA(bins=336)
    assert diga.encode(Point(336, 336), (336, 336)) == "(23,23,7,7)"
    assert diga.parse("(24,0,0,0)", (336, 336)) == []


@pytest.mark.parametrize(
    "text", ["(16,0,0,0)", "(-1,0,0,0)", "(0,16,1,1,1,1)", "(4,52,13,63)", "(1,2)", "(0,4,3,11,6)"]
)
def test_off_the_grid_is_malformed(text: str) -> None:
    report = DIGA().parse_report(text, SIZE)
    assert (report.locations, report.n_malformed) == ([], 1)


def test_swapped_sides_are_malformed() -> None:
    assert DIGA().parse_report("(0,0,-5,0,-5,0)", SIZE).n_malformed == 1


@pytest.mark.parametrize("bins", [1, 13, 100, 225])
def test_bins_must_fill_whole_cells(bins: int) -> None:
    with pytest.raises(InputError, match="diga: bins must be a multiple of 14"):
        coordinates.get("diga", bins=bins)


def test_bins_must_be_a_number_as_for_ivb() -> None:
    with pytest.raises(InputError, match="diga: bins must be a whole number"):
        coordinates.get("diga", bins=0)
