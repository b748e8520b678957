"""How many absent categories negpred asks about in an image: the least and the most."""

from __future__ import annotations

from typing import TypeAlias

from locvlm.errors import InputError

AbsenceRange: TypeAlias = tuple[int, int]
ABSENCES: AbsenceRange = (4, 8)  # between them as many as locpred asks, to keep the balance


def parse_absences(text: str) -> AbsenceRange:
    """``3`` or ``4-8``. Raises InputError for anything else."""
    words = text.split("-")
    if len(words) > 2 or not all(word.strip().isdecimal() for word in words):
        raise InputError(f"--absences {text}: give a number per picture, or a range such as 4-8")
    least, most = int(words[0]), int(words[-1])
    if not 1 <= least <= most:
        raise InputError(
            f"--absences {text}: give at least 1, the smaller number first; for none leave "
            "negpred out of --objectives"
        )
    return least, most
