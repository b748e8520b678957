"""Formats by name and options, and the guide that shows how."""

import doctest
import pickle
from pathlib import Path

import pytest

from locvlm import coordinates
from locvlm.errors import InputError

FORMATS = [
    coordinates.get("nfp"),
    coordinates.get("ivb", bins=224),
    coordinates.get("ivb", bins=1000),
    coordinates.get("diga", bins=336),
]


def test_the_known_names() -> None:
    assert coordinates.names() == ["diga", "ivb", "nfp"]


def test_get_makes_the_same_format_from_its_own_options() -> None:
    for fmt in FORMATS:
        assert coordinates.get(fmt.name, **fmt.options) == fmt
        assert pickle.loads(pickle.dumps(fmt)) == fmt
    assert FORMATS[1] != FORMATS[2]
    assert hash(FORMATS[1]) == hash(coordinates.get("ivb", bins=224))


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="unknown coordinate format 'xyz'; known: diga, ivb, nfp"):
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


def test_the_guides_examples_are_real() -> None:
    guide = Path(__file__).parents[2] / "docs" / "coordinates.md"
    failed, tried = doctest.testfile(str(guide), module_relative=False)
    assert failed == 0
    assert tried > 10
