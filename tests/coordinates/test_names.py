"""Formats by name and options, and the guide that shows how."""

import doctest
import pickle
import re
from pathlib import Path

import pytest

from locvlm import coordinates
from locvlm.coordinates import Dialect
from locvlm.errors import InputError
from locvlm.geometry import Box, Point

FORMATS = [
    coordinates.get("nfp"),
    coordinates.get("ivb", bins=224),
    coordinates.get("ivb", bins=1000),
    coordinates.get("diga", bins=336),
    coordinates.get("pixels"),
    coordinates.get("qwen2.5-vl", min_pixels=784, max_pixels=78400),
    coordinates.get("molmo", label="dog"),
    *map(coordinates.get, coordinates.dialects()),
]
DIALECTS = coordinates.dialects()


def test_the_known_names() -> None:
    assert coordinates.names() == sorted(["diga", "ivb", "nfp", "pixels", *DIALECTS])
    assert sorted(DIALECTS) == DIALECTS


@pytest.mark.parametrize("name", coordinates.names())
def test_a_format_is_in_the_file_of_its_name(name: str) -> None:
    module = type(coordinates.get(name)).__module__
    assert module == "locvlm.coordinates." + re.sub(r"[-.]", "_", name)


def test_get_makes_the_same_format_from_its_own_options() -> None:
    for fmt in FORMATS:
        assert coordinates.get(fmt.name, **fmt.options) == fmt
        assert pickle.loads(pickle.dumps(fmt)) == fmt
    assert FORMATS[1] != FORMATS[2]
    assert hash(FORMATS[1]) == hash(coordinates.get("ivb", bins=224))


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="unknown coordinate format 'xyz'; known: cogvlm, .*ivb"):
        coordinates.get("xyz")


@pytest.mark.parametrize(
    ("name", "option", "has"), [("nfp", "bins", "none"), ("ivb", "bin", "bins"), ("diga", "", "")]
)
def test_unknown_option(name: str, option: str, has: str) -> None:
    with pytest.raises(InputError, match=f"{name} has no option '{option}'; it has: {has}"):
        coordinates.get(name, **{option: 1})


def test_counts_are_not_an_option() -> None:
    with pytest.raises(InputError, match="no option 'counts'"):
        coordinates.get("ivb", counts={})


GUIDE = Path(__file__).parents[2] / "docs" / "data" / "coordinates.md"


@pytest.mark.parametrize("name", DIALECTS)
def test_the_guides_table_of_dialects_is_real(name: str) -> None:
    """Name, number, rounding, numbers, and what becomes of the box and the point."""
    dialect = coordinates.get(name)
    assert isinstance(dialect, Dialect)
    rows = re.findall(rf"^\| `{re.escape(name)}` \|.*\|.*\|.*\| (.*) \|$", GUIDE.read_text(), re.M)
    places = {"box": Box(10, 120, 30, 145), "point": Point(20, 132.5)}
    frame = dialect.frame((512, 512))
    texts = [dialect.encode(places[kind], frame) for kind in dialect.kinds]
    shown = ", ".join(f"`{text}`" for text in texts)
    assert shown in [row.replace("\\|", "|") for row in rows]


def test_the_guides_examples_are_real() -> None:
    failed, tried = doctest.testfile(str(GUIDE), module_relative=False)
    assert failed == 0
    assert tried > 10
