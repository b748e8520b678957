"""A text whose locations are marks: what is around them can be looked at, as text and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from locvlm.coordinates.json_dialect import BOTH_KEYS, BOX_KEYS, POINT_KEYS, squeeze

Span = tuple[int, int]

MARK = "\ue000"  # for private use: stands for a location while the text around it is looked at
SLOT = re.compile(f"{MARK}([0-9]+){MARK}")
_LABELS = ("label", "name", "object", "category", "class", "caption", "text")


class Key(NamedTuple):
    """Of a member in JSON."""

    name: str
    span: Span
    quote: str  # with backslashes where the JSON is a string in JSON


@dataclass(frozen=True)
class Surroundings:
    """A text whose locations are marks, and where these stand in the original."""

    text: str
    spans: Sequence[Span]
    masked: str
    offsets: Mapping[int, int]  # of the mark of each location in `masked`

    @classmethod
    def of(cls, text: str, spans: Sequence[Span]) -> Surroundings:
        """Those of the locations at `spans`."""
        parts, done, offsets, length = [], 0, {}, 0
        for number, (start, end) in enumerate(spans):
            mark = f"{MARK}{number}{MARK}"
            parts += [text[done:start], mark]
            length += start - done
            offsets[number] = length
            length += len(mark)
            done = end
        return cls(text, spans, "".join(parts) + text[done:], offsets)

    def original(self, place: int) -> int:
        """From a place in `masked`, outside of marks, to the one in the text."""
        shift = 0
        for number, offset in self.offsets.items():
            mark = len(f"{MARK}{number}{MARK}")
            if offset + mark > place:
                break
            start, end = self.spans[number]
            shift += (end - start) - mark
        return place + shift


def find_opening(text: str, start: int) -> int | None:
    """Where the next object or list may begin."""
    places = [place for mark in "{[" if (place := text.find(mark, start)) >= 0]
    return min(places, default=None)


def find_named_marks(value: Any) -> list[tuple[str, list[int]]] | None:
    """Labels and locations of a decoded answer that holds nothing else; None where there is."""
    items = value if isinstance(value, list) else [value]
    found = []
    for item in items:
        if isinstance(item, dict):
            each = _place_in(item)
        else:
            numbers = _numbers_in(item)
            each = ("", numbers) if numbers else None
        if each is None:
            return None
        found.append(each)
    return found


def _place_in(item: dict[str, Any]) -> tuple[str, list[int]] | None:
    label, numbers = "", None
    known = BOX_KEYS | POINT_KEYS | BOTH_KEYS
    for key, value in item.items():
        if squeeze(key) in known and numbers is None:
            numbers = _numbers_in(value)
            if numbers is None:
                return None
        elif key in _LABELS and isinstance(value, str) and not label:
            label = value
        else:
            return None
    return (label, numbers) if numbers else None


def _numbers_in(value: Any) -> list[int] | None:
    """The numbers of the marks in a value of nothing but marks."""
    if isinstance(value, str):
        match = SLOT.fullmatch(value)
        return [int(match[1])] if match else None
    if isinstance(value, list) and value:
        inner = [_numbers_in(each) for each in value]
        if all(each is not None for each in inner):
            return [number for each in inner for number in each or ()]
    return None


def stripped(text: str) -> Span:
    """Where the text begins and ends without the space around it."""
    return len(text) - len(text.lstrip()), len(text.rstrip())


def in_object(head: str) -> bool:
    """Whether a text ends inside of an object."""
    return head.rfind("{") > head.rfind("}")


def is_json(text: str) -> bool:
    """Whether a text is a value in JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def escape(value: str, quote: str) -> str:
    """JSON as it stands in JSON whose keys have such quotes: strings in strings have more."""
    for _ in range(len(quote).bit_length() - 1):
        value = json.dumps(value, ensure_ascii=False)[1:-1]
    return value
