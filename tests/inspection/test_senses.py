import re

import pytest

from locvlm.inspection.senses import has_other_sense, is_side

SIDES = [
    "Left",
    "to the left of the dog",
    "The dog is left of the cat.",
    "The dog is on the left behind the tree.",
    "from right to left",
    "Is it left or right?",
    "Turn right at the corner.",
    "the man on the far right, in his right hand",
    "He has left arm raised.",
    "The left one has a hat, the right one has none.",
    "on the left-hand side",
    "the bottom\n  left over there",
    "facing left in the picture",
    "Which side is it, left or right?",
    "There is one left of the tree and one right of it",
    "the top-right",
]
OTHERS = [
    "All right, that's right.",
    "It is a dog, right?",
    "He is right-handed, she is LEFT-handed.",
    "right now",
    "Right next to the tree, right   in front of it.",
    "the right answer, at the right\ntime",
    "their right to vote",
    "It sits right behind you.",
    "The train has left the station.",
    "They've just left.",
    "She left early.",
    "There is nothing left, and little food left on the plate.",
    "A plate was left on the table, a bag left unattended.",
    "A boat that had been left behind",
    "A tourist left a bag.",
]


def senses(text: str) -> set[bool]:
    return {is_side(text, m.span()) for m in re.finditer(r"\b(left|right)\b", text, re.IGNORECASE)}


@pytest.mark.parametrize("text", SIDES)
def test_sides(text: str) -> None:
    assert senses(text) == {True}


@pytest.mark.parametrize("text", OTHERS)
def test_other_senses(text: str) -> None:
    assert senses(text) == {False}


def test_what_is_far_away_says_nothing() -> None:
    text = f"They have {'very ' * 20}left"
    assert senses(text) == {True}


def test_other_words_have_one_sense() -> None:
    assert not has_other_sense("above")
    assert is_side("all above", (4, 9))
