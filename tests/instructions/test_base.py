"""What mirroring a picture does to words."""

import pytest

from locvlm.instructions.base import swap_sides


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("", ""),
        ("It is to the left of a dog.", "It is to the right of a dog."),
        ("Left, right; LEFT!", "Right, left; RIGHT!"),
        ("leftover bright lEfT", "leftover bright lEfT"),
    ],
)
def test_sides_swap(text: str, mirrored: str) -> None:
    assert swap_sides(text) == mirrored
    assert swap_sides(mirrored) == text
