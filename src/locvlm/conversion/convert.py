"""Rewrites the coordinates in a data set of text from one format to another.

Only the texts of parsed locations change, inside their JSON strings; everything else stays byte
for byte as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
from rich.console import Console
from rich.progress import track

from locvlm.conversion.json_text import Edit, edited, strings
from locvlm.conversion.records import KEYS, holds_text
from locvlm.conversion.sizes import Sizes
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError, LocVLMError
from locvlm.files import replaced
from locvlm.geometry import Frame

STREAM = Path("-")  # standard input or output
BOM = b"\xef\xbb\xbf"
Record = dict[str, Any]
T = TypeVar("T")


@dataclass
class Report:
    """What happened, over the whole file."""

    records: int = 0
    rewritten: int = 0  # locations
    clipped: int = 0  # times that one of them was cut to the picture, or to what a model sees
    unparsed: int = 0  # groups of numbers that are no location of the source's format; left alone
    unwritable: int = 0  # locations of a kind that the target's format cannot write; left alone
    without_size: int = 0  # records with locations, left alone: no size of their picture is known


def convert(
    source: Path,
    out: Path,
    *,
    read: CoordinateFormat,
    write: CoordinateFormat,
    images: Path | None = None,
    size_columns: tuple[str, str] | None = None,
) -> Report:
    """Convert a file of records (see `conversion.records`); ``-`` is standard input or output.

    A file whose first character is ``[`` and whose name does not end in ``.jsonl`` is one JSON
    array. All else has a record per line and takes the same little memory whatever its length.

    Args:
        source: the data set.
        out: the converted one, written complete or not at all; may be `source` itself.
        read: the format that its coordinates are in, in the frame of that format's models.
        write: the format that they are to be in, likewise.
        images: folder that the pictures' names are relative to.
        size_columns: names of the columns with the pictures' width and height, pixels.

    Raises:
        InputError: a file cannot be read or written, something is no record (its line is named),
            or there are locations, but not one record says how large its picture is.
    """
    converter = Converter(read, write, Sizes(images, size_columns, source))
    with _opened(source) as file, _written(out) as target:
        pieces = converter.pieces(file, str(source), lines=_has_lines(source, file))
        for piece in track(
            pieces, "Converting", total=None, transient=True, console=Console(stderr=True)
        ):
            target.write(piece)
        target.flush()
        report = converter.report
        if report.without_size and not report.rewritten:
            raise InputError(
                f"{source}: none of the {report.without_size} records with locations has a picture "
                "of a known size; give --images DIR or --size-columns WIDTH,HEIGHT"
            )
    return report


class Converter:
    """Rewrites records from the format `read` to the format `write`, and counts."""

    def __init__(self, read: CoordinateFormat, write: CoordinateFormat, sizes: Sizes):
        self.read = read
        self.write = write
        self.sizes = sizes
        self.report = Report()

    def pieces(self, file: BinaryIO, name: str, *, lines: bool) -> Iterator[bytes]:
        """The converted content: line by line, or the items of one array and what is between.

        Raises:
            InputError: something is not a record; its line is named.
        """
        if not lines:
            yield from self._array(file.read(), name, 1)
            return
        for number, line in enumerate(file, 1):
            bom = BOM if number == 1 and line.startswith(BOM) else b""
            yield bom
            line = line.removeprefix(bom)
            yield self._value(line, name, number) if line.strip() else line

    def record(self, text: str, place: str) -> str:
        """One record, as JSON text; `place` is how an error names it."""
        record = decode_record(text.encode(), place)
        self.report.records += 1
        found = [
            string
            for string in strings(text)
            if holds_text(string.path) and any(True for _ in self.read.find(string.value))
        ]
        frames = self._frames(record, place) if found else None
        if frames is None:
            self.report.without_size += bool(found)
            return text
        return edited(text, [(string, self._edits(string.value, *frames)) for string in found])

    def _edits(self, text: str, seen: Frame, wanted: Frame) -> list[Edit]:
        parsed = self.read.parse_report(text, seen)
        clipped = self.write.counts["encode_clipped"]
        edits = []
        for location, span in zip(parsed.locations, parsed.spans, strict=True):
            try:
                edits.append((*span, self.write.encode(location, wanted)))
            except LocVLMError:  # it has boxes only, or points only
                self.report.unwritable += 1
        self.report.rewritten += len(edits)
        self.report.clipped += parsed.n_clipped + self.write.counts["encode_clipped"] - clipped
        self.report.unparsed += parsed.n_malformed
        return edits

    def _frames(self, record: Record, place: str) -> tuple[Frame, Frame] | None:
        """What either format's models see; None where the picture's size is not known."""
        try:
            size = self.sizes.of(record)
            return size and (self.read.frame(size), self.write.frame(size))
        except (ValueError, InputError) as error:
            raise InputError(f"{place}: {error}") from None

    def _value(self, data: bytes, name: str, line: int) -> bytes:
        """A record, or an array of records that are packed into one sample."""
        if data.lstrip().startswith(b"["):
            return b"".join(self._array(data, name, line))
        place = f"{name}, line {line}"
        return self.record(_text(data, place), place).encode()

    def _array(self, data: bytes, name: str, line: int) -> Iterator[bytes]:
        """The items of an array that begins at `line`, converted, and what is between them."""
        bom = BOM if data.startswith(BOM) else b""
        items = decode(data.removeprefix(bom), list[msgspec.Raw], f"{name}, line {line}")
        done = 0
        for item in map(bytes, items):
            start = data.index(item, done)  # the first: only space and a comma come before
            line += data.count(b"\n", done, start)
            yield data[done:start]
            yield self._value(item, name, line)
            line += item.count(b"\n")
            done = start + len(item)
        yield data[done:]


def decode_record(data: bytes, place: str) -> Record:
    """A record with at least one text. Raises InputError that names the `place` where it is not."""
    record = decode(data, Record, place)
    if not any(key in record for key in KEYS):
        raise InputError(f"{place}: not a record with text; it has none of {', '.join(KEYS)}")
    return record


def decode(data: bytes, kind: type[T], place: str) -> T:
    """JSON of a kind. Raises InputError that names the `place` where it is not."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{place}: not a JSON record of a data set: {error}") from None


def _text(data: bytes, place: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: not UTF-8 text ({error.reason}); save it as UTF-8") from None


def _opened(path: Path) -> AbstractContextManager[BinaryIO]:
    if path == STREAM:
        return nullcontext(sys.stdin.buffer)
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _written(path: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdout.buffer) if path == STREAM else replaced(path)


def _has_lines(path: Path, file: BinaryIO) -> bool:
    if path == STREAM or path.suffix == ".jsonl":
        return True
    start = file.read(4096).removeprefix(BOM).lstrip()
    file.seek(0)
    return not start.startswith(b"[")
