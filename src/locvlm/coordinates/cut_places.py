"""A location that ends with its text: the tokens of the answer ended in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from locvlm.coordinates.base import FoundLocation

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_CUT = re.compile(rf"(?:[(\[]\s*)+{_NUMBER}(?:\s*,\s*{_NUMBER})*\s*,?\s*\Z")
_TAIL = frozenset("0123456789,")


def add_cut(text: str, found: Iterator[FoundLocation]) -> Iterable[FoundLocation]:
    """What was found in `text`, and the piece of a location that ends with it, which is none.

    A point right before it, ``(196,422),(395``, is the first corner of a box.
    """
    if text.rstrip()[-1:] not in _TAIL:  # nearly all texts: told faster
        return found
    every = [*found]
    cut = _CUT.search(text)
    if not cut or (every and every[-1].span[1] > cut.start()):
        return every
    start = cut.start()
    before = text[:start].rstrip()[-1:]
    if before != "," and "," not in cut[0]:  # a number after a bracket
        return every
    last = every[-1] if every else None
    if (
        last
        and last.numbers
        and len(last.numbers) == 2
        and text[last.span[1] : start].strip() == ","
    ):
        start = every.pop().span[0]
    return [*every, FoundLocation((start, len(text)), None)]
