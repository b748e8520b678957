"""Answers that say a side: left or right, above or below."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Per axis, of x and of y, the words for the low and the high coordinate
WORDS: Mapping[str, tuple[str, str]] = {
    "left-right": ("left", "right"),
    "above-below": ("above", "below"),
}
RULES = ("accuracy", "strict accuracy")
_NEXT_QUESTION = re.compile(r"\bQ:")


def opposite(word: str) -> str:
    """The other word of its axis.

    >>> opposite("left")
    'right'
    """
    pair = next(words for words in WORDS.values() if word in words)
    return pair[1 - pair.index(word)]


def has_word(word: str, answer: str) -> bool:
    """Whether it is in the answer, as a whole word, in any case.

    Only what stands before a further "Q:" is read: models like to go on with the dialogue.
    """
    response = _NEXT_QUESTION.split(answer, maxsplit=1)[0].lower()
    return re.search(rf"\b{word}\b", response) is not None


def score_side(right: str, answer: str) -> dict[str, bool | float]:
    """Paper's rule: the right word is in the answer. Strict: and the other one is not."""
    named = has_word(right, answer)
    strict = named and not has_word(opposite(right), answer)
    return {"accuracy": named, "strict accuracy": strict}
