"""JSON as text: where its strings stand, so that one can be edited and all else stays as it was.

A parser gives values and forgets key order, spacing and escapes; a data set that comes back with
every line changed cannot be compared with what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

Path = tuple[str | int, ...]
Edit = tuple[int, int, str]  # value[start:end] becomes the text

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],]', re.DOTALL)
_CHARACTER = re.compile(  # one character of a string's value, as it may be written
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # beyond 16 bits: a pair
    r"|\\u[0-9a-fA-F]{4}|\\.|[^\\]",
    re.DOTALL,
)


class JsonString(NamedTuple):
    """A string value (not a key) in a JSON text."""

    path: Path  # keys and positions from the outermost value: ("messages", 0, "content")
    span: tuple[int, int]  # of its literal in the text, quotes included
    value: str


def find_strings(text: str) -> Iterator[JsonString]:
    """The string values of `text`, in order. `text` must be valid JSON: nothing is checked."""
    path: list[str | int | None] = []  # None: in an object whose next key was not read yet
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == "{":
            path.append(None)
        elif mark == "[":
            path.append(0)
        elif mark in "}]":
            path.pop()
        elif mark == ",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else None
        elif path and path[-1] is None:
            path[-1] = msgspec.json.decode(mark, type=str)
        else:
            place = tuple(step for step in path if step is not None)
            yield JsonString(place, token.span(), msgspec.json.decode(mark, type=str))


def apply_edits(text: str, edits: Sequence[tuple[JsonString, Sequence[Edit]]]) -> str:
    """`text` with pieces of some of its strings replaced; both sequences in the text's order."""
    parts, done = [], 0
    for string, pieces in edits:
        starts = _starts(text, string)
        for start, end, new in pieces:
            parts += [text[done : starts[start]], msgspec.json.encode(new).decode()[1:-1]]
            done = starts[end]
    return "".join(parts) + text[done:]


def _starts(text: str, string: JsonString) -> Sequence[int]:
    """Where each character of the string's value is written in `text`, and where they end."""
    first, last = string.span[0] + 1, string.span[1] - 1
    if last - first == len(string.value):  # nothing is escaped
        return range(first, last + 1)
    return [match.start() for match in _CHARACTER.finditer(text, first, last)] + [last]
