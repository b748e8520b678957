"""A file of records, cut into the records and what is between them.

A file is one JSON array of records, or has one record per line. Instead of a record there may be
an array of records that were packed into one sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import msgspec

from locvlm.errors import InputError
from locvlm.records.json_arrays import pieces

STREAM = Path("-")  # standard input or output
BOM = b"\xef\xbb\xbf"
T = TypeVar("T")


class Piece(NamedTuple):
    """A part of a file; all of them together are the file."""

    data: bytes
    place: str  # of a record: the file, the line, maybe its number; empty between records


def split(file: BinaryIO, path: Path) -> Iterator[Piece]:
    """The pieces of a file, in the same little memory whatever its length.

    It has lines if it is standard input, if its name ends in ``.jsonl``, or if it does not begin
    with ``[``. Records are not looked into.

    Raises:
        InputError: it is no JSON, or an array of it holds something else than objects.
    """
    if not _has_lines(file, path):
        yield from _items(file, path)
        return
    for number, data in enumerate(file, 1):
        if number == 1 and data.startswith(BOM):
            yield Piece(BOM, "")
            data = data.removeprefix(BOM)
        yield from _value(data, path, number) if data.strip() else [Piece(data, "")]


def iterate_records(path: Path) -> Iterator[Piece]:
    """The records of a file without what is between them. Raises InputError as `split`."""
    with open_records(path) as file:
        yield from (piece for piece in split(file, path) if piece.place)


def open_records(path: Path) -> BinaryIO:
    """The file, to be read. Raises InputError where it cannot be opened."""
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def decode_json_piece(data: bytes, kind: type[T], place: str) -> T:
    """JSON of a kind. Raises InputError that names the `place` where it is not."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{place}: not a JSON record of a data set: {error}") from None


def _has_lines(file: BinaryIO, path: Path) -> bool:
    if path == STREAM or path.suffix == ".jsonl":
        return True
    start = file.read(4096).removeprefix(BOM).lstrip()
    file.seek(0)
    return not start.startswith(b"[")


def _items(file: BinaryIO, path: Path) -> Iterator[Piece]:
    """The pieces of a file that is one array.

    A record that is not the first of its line is also named by its number: whole data sets come as
    one line.
    """
    line, last, number = 1, 0, 0
    if file.read(len(BOM)) == BOM:
        yield Piece(BOM, "")
    else:
        file.seek(0)
    try:
        for text, is_item in pieces(file):
            data = text.encode()
            if is_item:
                number += 1
                yield from _value(data, path, line, f", record {number}" if line == last else "")
                last = line
            else:
                yield Piece(data, "")
            line += data.count(b"\n")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}, line {line}: not a JSON record of a data set: {error}") from None


def _value(data: bytes, path: Path, line: int, number: str = "") -> Iterator[Piece]:
    """The pieces of a record or of an array of records; `number`: what else names its place."""
    if data.lstrip().startswith(b"["):
        yield from _array(data, path, line)
    else:
        yield Piece(data, f"{path}, line {line}{number}")


def _array(data: bytes, path: Path, line: int) -> Iterator[Piece]:
    """The pieces of an array that begins at `line`."""
    items = decode_json_piece(data, list[msgspec.Raw], f"{path}, line {line}")
    done = 0
    for item in map(bytes, items):
        start = data.index(item, done)  # the first: only space and a comma come before
        line += data.count(b"\n", done, start)
        yield Piece(data[done:start], "")
        yield from _value(item, path, line)
        line += item.count(b"\n")
        done = start + len(item)
    yield Piece(data[done:], "")
