"""Pickle files as data: numbers, text, lists, tuples and dicts, and nothing that runs.

A pickle is a program for a stack machine, and Python's own reader runs it, imports and calls
included. This one knows only the instructions that build plain values (see CPython's
``pickletools`` for what each one does), of protocols 0 to 5. Strings of Python 2 are read as UTF-8,
else as Latin-1.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.io.reading import one_line, read_bytes

STOP = b"."
_WRONG = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, struct.error)


def read_plain_pickle(path: Path) -> Any:
    """The value in the file: None, bool, int, float, str, list, tuple or dict of these.

    Raises:
        InputError: it cannot be read, is no complete pickle, or holds anything else; none of it
            has been run.
    """
    machine = _Machine(read_bytes(path))
    start = 0
    try:
        while True:
            start = machine.at
            code = machine.take(1)
            if code == STOP:
                return machine.stack.pop()
            if code not in _STEPS:
                raise InputError(
                    f"{path}: byte {start}: the pickle holds more than plain data (instruction "
                    f"{code!r}); it is not read, since that could run a program"
                )
            _STEPS[code](machine)
    except _WRONG as error:
        reason = one_line(str(error)) or type(error).__name__
        raise InputError(
            f"{path}: byte {start}: not a complete pickle ({reason}); get it again"
        ) from None


class _Machine:
    """The stack, the stacks under its marks, and the memo."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError(f"it ends too early, at byte {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> Any:
        """The next number, in the form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        end = self.data.index(b"\n", self.at)
        line = self.take(end - self.at)
        self.at += 1
        return line

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[Any]:
        """What was pushed since the last mark, which is gone with it."""
        items, self.stack = self.stack, self.below.pop()
        return items

    def last(self, count: int) -> tuple[Any, ...]:
        if count > len(self.stack):
            raise IndexError("the stack is too short")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        return items

    def extend(self, items: list[Any]) -> None:
        """Add to the list on top."""
        if type(self.stack[-1]) is not list:
            raise TypeError("no list to append to")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        """Add keys and values, one after the other, to the dict on top."""
        if type(self.stack[-1]) is not dict or len(items) % 2:
            raise TypeError("no dict, or a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # The hash of nested tuples can take forever, and no data has such keys.
            if not isinstance(key, str | int | float | None):
                raise TypeError(f"a key is a {type(key).__name__}")
            self.stack[-1][key] = value

    def make_dict(self) -> None:
        items = self.since_mark()
        self.push({})
        self.update(items)

    def put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def get(self, place: int) -> None:
        self.push(self.memo[place])


def _int(line: bytes) -> int | bool:
    """Protocol 0: ``01`` and ``00`` are True and False, an L may follow a long one."""
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line.removesuffix(b"L"))


def _quoted(line: bytes) -> str:
    """Protocol 0: a string of Python 2 as its repr."""
    line = line.strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    return _text(codecs.escape_decode(line[1:-1])[0])  # type: ignore[attr-defined]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _escaped(line: bytes) -> str:
    """Protocol 0: text, whose rarer letters Python 2 may have written as two halves."""
    halves = line.decode("raw-unicode-escape")
    return halves.encode("utf-16", "surrogatepass").decode("utf-16")


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_STEPS: dict[bytes, Callable[[_Machine], object]] = {
    # What the file says of itself: protocol, length of a frame.
    b"\x80": lambda m: m.take(1),
    b"\x95": lambda m: m.take(8),
    # The stack.
    b"(": _Machine.mark,
    b"0": lambda m: m.last(1),
    b"1": _Machine.since_mark,
    b"2": lambda m: m.push(m.stack[-1]),
    # None, True, False and numbers.
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"I": lambda m: m.push(_int(m.line())),
    b"L": lambda m: m.push(_int(m.line())),
    b"J": lambda m: m.push(m.number("<i")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"\x8a": lambda m: m.push(_long(m.take(m.number("<B")))),
    b"\x8b": lambda m: m.push(_long(m.take(m.number("<I")))),
    b"F": lambda m: m.push(float(m.line())),
    b"G": lambda m: m.push(m.number(">d")),
    # Text: Python 2's strings, then unicode.
    b"S": lambda m: m.push(_quoted(m.line())),
    b"T": lambda m: m.push(_text(m.take(m.number("<I")))),
    b"U": lambda m: m.push(_text(m.take(m.number("<B")))),
    b"V": lambda m: m.push(_escaped(m.line())),
    b"X": lambda m: m.push(m.take(m.number("<I")).decode()),
    b"\x8c": lambda m: m.push(m.take(m.number("<B")).decode()),
    b"\x8d": lambda m: m.push(m.take(m.number("<Q")).decode()),
    # Lists, tuples, dicts.
    b"]": lambda m: m.push([]),
    b"l": lambda m: m.push(m.since_mark()),
    b"a": lambda m: m.extend([m.stack.pop()]),
    b"e": lambda m: m.extend(m.since_mark()),
    b")": lambda m: m.push(()),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"\x85": lambda m: m.push(m.last(1)),
    b"\x86": lambda m: m.push(m.last(2)),
    b"\x87": lambda m: m.push(m.last(3)),
    b"}": lambda m: m.push({}),
    b"d": _Machine.make_dict,
    b"s": lambda m: m.update(list(m.last(2))),
    b"u": lambda m: m.update(m.since_mark()),
    # The memo.
    b"p": lambda m: m.put(int(m.line())),
    b"q": lambda m: m.put(m.number("<B")),
    b"r": lambda m: m.put(m.number("<I")),
    b"\x94": lambda m: m.put(len(m.memo)),
    b"g": lambda m: m.get(int(m.line())),
    b"h": lambda m: m.get(m.number("<B")),
    b"j": lambda m: m.get(m.number("<I")),
}
