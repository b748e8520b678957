"""The items of a JSON array in a file, one after the other: it need not fit into memory."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

CHUNK = 2**20  # bytes that are read at once
LONGEST = 2**26  # characters of an item; what is longer is taken for one that does not end

_SPACE = re.compile(r"[ \t\n\r]*")
_value = json.JSONDecoder().raw_decode


def pieces(file: BinaryIO) -> Iterator[tuple[str, bool]]:
    """The parts of an array, each with whether it is an item; all of them together are the file.

    Raises:
        ValueError: it is no array of objects or arrays, or no UTF-8.
        RecursionError: an item is nested too deeply.
    """
    rest = _Rest(file)
    before = rest.mark("[")
    if rest.next() == "]":
        before += rest.mark("]")
    while not before.rstrip().endswith("]"):
        yield before, False
        yield rest.item(), True
        before = rest.mark(",]")
    yield before, False
    if rest.next():
        raise ValueError(f"{rest.next()!r} after the end of the array")


class _Rest:
    """What of the file has not been taken yet."""

    def __init__(self, file: BinaryIO):
        self._chunks = codecs.iterdecode(iter(partial(file.read, CHUNK), b""), "utf-8")
        self._text, self._start = "", 0  # a window of the file, of which a part is taken

    def next(self) -> str:
        """The next character that is no space; empty at the end."""
        while (place := self._after_space()) == len(self._text) and self._more():
            pass
        return self._text[place : place + 1]

    def mark(self, marks: str) -> str:
        """One of the `marks` with the space around it."""
        if not (found := self.next()) or found not in marks:
            raise ValueError(f"{found!r} in place of {' or '.join(marks)}" if found else "cut off")
        before = self._take(self._after_space() + 1)
        self.next()
        return before + self._take(self._after_space())

    def item(self) -> str:
        """The object or array that comes next."""
        if self.next() not in ("{", "["):
            raise ValueError(f"{self.next()!r} in place of a record")
        while True:
            try:
                return self._take(_value(self._text, self._start)[1])
            except json.JSONDecodeError as error:
                if len(self._text) - self._start > LONGEST or not self._more():
                    raise ValueError(f"{error.msg}, in a record that begins here") from None

    def _after_space(self) -> int:
        space = _SPACE.match(self._text, self._start)
        assert space is not None  # it may be empty
        return space.end()

    def _take(self, end: int) -> str:
        start, self._start = self._start, end
        return self._text[start:end]

    def _more(self) -> bool:
        """Read on, as much as is waiting at least, so that a long item is not tried too often."""
        waiting = self._text[self._start :]
        parts, length = [waiting], len(waiting)
        for chunk in self._chunks:
            parts.append(chunk)
            length += len(chunk)
            if length > 2 * len(waiting):
                break
        self._text, self._start = "".join(parts), 0
        return length > len(waiting)
