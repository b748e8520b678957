import pytest

from locvlm import coordinates
from locvlm.commands.arguments import get_format, get_format_or_none
from locvlm.errors import InputError


def test_the_choice_is_left_to_the_model() -> None:
    assert get_format_or_none(None) is None


def test_a_format_with_its_options() -> None:
    assert get_format_or_none("nfp") == coordinates.get("nfp")
    assert get_format_or_none("ivb", ["bins=336"]) == coordinates.get("ivb", bins=336)
    assert get_format("ivb", ["bins=1", "bins=2"]) == coordinates.get("ivb", bins=2)


@pytest.mark.parametrize(
    ("name", "settings", "problem"),
    [
        (None, ["bins=2"], "give --format"),
        ("none", [], "unknown coordinate format"),
        ("nfp", ["bins=2"], "has no option 'bins'"),
        ("ivb", ["bins"], "'bins': not a setting"),
        ("ivb", ["=2"], "not a setting"),
        ("ivb", ["bins="], "not a setting"),
        ("ivb", ["bins=0"], "at least 1"),
        ("ivb", ["bins=1.5"], "whole number"),
        ("ivb", ["bins=[1"], "not a setting"),
    ],
)
def test_what_is_wrong(name: str | None, settings: list[str], problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        get_format_or_none(name, settings)
    assert "\n" not in str(caught.value)
