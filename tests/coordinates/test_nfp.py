"""NFP: the worked example of arXiv 2404.07449, and what it refuses to read."""

import pytest

from locvlm.coordinates.nfp import NFP
from locvlm.geometry import Box, Location, Point

SIZE = (512, 512)


def test_the_papers_example() -> None:
    nfp = NFP()
    assert nfp.encode(Box(10, 120, 30, 145), SIZE) == "(0.0195,0.2344,0.0586,0.2832)"
    assert nfp.encode(Point(20, 132.5), SIZE) == "(0.0391,0.2588)"


def test_always_four_decimals() -> None:
    assert NFP().encode(Box(0, 0, 512, 512), SIZE) == "(0.0000,0.0000,1.0000,1.0000)"
    assert NFP().options == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(0.5,0.25)", Point(256, 128)),
        ("(0,0,1,1)", Box(0, 0, 512, 512)),
        ("(0.0,0.00000,1,0.50)", Box(0, 0, 512, 256)),
        ("(0.123456789012345678,0.5)", Point(0.12345678901234568 * 512, 256)),
    ],
)
def test_any_number_of_decimals_is_read(text: str, expected: Location) -> None:
    assert NFP().parse(text, SIZE, strict=True) == [expected]


@pytest.mark.parametrize("text", ["(4,52,13,63)", "(0,2)", "(0.5,52)", "(-1,0.5)"])
def test_whole_numbers_are_another_formats(text: str) -> None:
    """Bins or pixels clipped to 1.0 would be a box in the wrong place: they are malformed."""
    report = NFP().parse_report(text, SIZE)
    assert (report.locations, report.n_malformed, report.n_clipped) == ([], 1, 0)
