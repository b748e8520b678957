"""Whether an answer to a plain question is plain text: what a tuning to locations can spoil."""

from __future__ import annotations

import re

from locvlm.evaluation.task import AnswerContext

# Four numbers in a row, or a family's tokens for them, where nobody asked for a place
_COORDINATES = re.compile(
    r"(?<!\d)\d+(?:\.\d+)?(?:\s*[,;]\s*-?\d+(?:\.\d+)?){3}|<loc_?\d+>|<\|?box|\bbbox", re.IGNORECASE
)
_REFUSAL = re.compile(
    r"\b(?:sorry|unable to|not able to|can(?:no|')t (?:see|tell|describe|answer|help)|cannot"
    r"|as an ai|no such (?:object|thing))\b",
    re.IGNORECASE,
)
_LONGEST = 8  # words of a phrase that comes again
_TIMES = 3


def has_location(answer: str, context: AnswerContext) -> bool:
    """Whether there are coordinates in the answer, in the model's format or as four numbers."""
    if _COORDINATES.search(answer):
        return True
    known = context.coordinates is not None and context.frame is not None
    return known and bool(context.locations(answer))


def is_refusal(answer: str) -> bool:
    """Whether it says that it cannot be answered, or that there is nothing to see."""
    return _REFUSAL.search(answer) is not None


def repeats_itself(answer: str) -> bool:
    """Whether up to eight words come three times in a row.

    >>> repeats_itself("a dog and a dog and a dog and a"), repeats_itself("a dog and a cat")
    (True, False)
    """
    words = answer.lower().split()
    for length in range(1, _LONGEST + 1):
        same = 0  # words that are as those `length` before
        for before, word in zip(words, words[length:], strict=False):
            same = same + 1 if before == word else 0
            if same == length * (_TIMES - 1):
                return True
    return False


def share_words(answer: str, others: tuple[str, ...]) -> float:
    """F1 of the distinct words of an answer and the nearest of the others, 0 … 1.

    >>> share_words("A dog runs.", ("the dog runs", "a cat"))
    0.6666666666666666
    """
    said = _words(answer)
    return max((_f1(said, _words(other)) for other in others), default=0.0)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _f1(a: set[str], b: set[str]) -> float:
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 0.0
