"""Bytes, JSON, lines and tables of annotation files; what cannot be read is told in one line."""

from __future__ import annotations

import csv
import gzip
import math
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from locvlm.errors import InputError

# 64-bit numbers: what any table can hold, and what can always be written out in a message.
Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | str

BOM = b"\xef\xbb\xbf"  # that some editors put before UTF-8
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
CHUNK = 1 << 20  # bytes
# Annotations shrink to a tenth or so; zeros, as in a decompression bomb, to a thousandth.
GROWTH = 200
HARMLESS = 1 << 26  # bytes that a packed file may always grow to

T = TypeVar("T")


def read_bytes(path: Path) -> bytes:
    """The whole file; of a ``.gz`` file what is packed in it.

    Raises:
        InputError: it cannot be read, is not complete gzip, or grows beyond all measure.
    """
    if path.suffix == ".gz":
        return b"".join(read_chunks(path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def read_chunks(path: Path) -> Iterator[bytes]:
    """The same in pieces of at most `CHUNK` bytes."""
    packed = path.suffix == ".gz"
    try:
        limit = max(HARMLESS, GROWTH * path.stat().st_size) if packed else math.inf
        size = 0
        with gzip.open(path) if packed else path.open("rb") as file:
            while chunk := file.read(CHUNK):
                size += len(chunk)
                if size > limit:
                    raise InputError(
                        f"{path}: grows to more than {GROWTH} times its size; unpack it by hand if "
                        "it can be trusted"
                    )
                yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a complete gzip file ({error}); get it again") from None
    except OSError as error:
        raise _unreadable(path, error) from None


def decode_json(path: Path, kind: type[T], what: str) -> T:
    """A JSON file as `kind`, packed (``.gz``) or not.

    Raises:
        InputError: it cannot be read, is no complete JSON, or not `what` it should be.
    """
    data = read_bytes(path).removeprefix(BOM)
    try:
        if data[:2] in UTF_16:
            data = data.decode("utf-16").encode()
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not {what}: {error}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except msgspec.DecodeError as error:
        cut = "truncated" in str(error)
        place = f"it ends too early, at byte {len(data)}" if cut else str(error)
        raise InputError(f"{path}: not complete JSON: {place}; get the file again") from None
    except RecursionError:
        raise InputError(f"{path}: not {what}: nested too deeply") from None


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends, one at a time; a byte order mark is skipped.

    One of UTF-16, as editors of Windows write it, is heeded.

    Raises:
        InputError: it cannot be read or is not UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as start:
            encoding = "utf-16" if start.read(2) in UTF_16 else "utf-8-sig"
        with path.open(encoding=encoding, newline="") as file:
            for line in file:
                yield line
                number += 1
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text after line {number} ({error.reason}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def csv_rows(
    path: Path, needs: Sequence[str], columns: Sequence[str] | None = None, delimiter: str = ","
) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV file, one at a time, each behind its place (``FILE: line 7``).

    Args:
        path: the file.
        needs: columns that must be there; others are passed on too.
        columns: names of the columns; None: the first line has them.
        delimiter: what stands between two columns.

    Raises:
        InputError: it cannot be read, a column is missing, or a row is too long or too short.
    """
    table = csv.DictReader(text_lines(path), columns, delimiter=delimiter)
    try:
        missing = [name for name in needs if name not in (table.fieldnames or ())]
        if missing:
            raise InputError(
                f"{path}: has no column {', '.join(missing)}; it needs: {', '.join(needs)}"
            )
        for row in table:
            place = f"{path}: line {table.line_num}"
            if None in row or None in row.values():
                raise InputError(
                    f"{place}: does not have {len(table.fieldnames or ())} columns as the others; "
                    "check its commas and quotes"
                )
            yield place, row
    except csv.Error as error:
        raise InputError(f"{path}: line {table.line_num}: not CSV ({error})") from None


def parse_number(text: str | None, where: str) -> float:
    """A finite number. Raises InputError with `where` it stands."""
    try:
        value = float(text or "")
    except ValueError:
        raise InputError(f"{where}: {quote(text)} is not a number") from None
    if not math.isfinite(value):
        raise InputError(f"{where}: {quote(text)} is not a finite number")
    return value


def parse_integer(text: str | None, where: str) -> int:
    """A whole number of 64 bits, also written as 3.0. Raises InputError with `where` it stands."""
    value = parse_number(text, where)
    if value != int(value) or abs(value) >= 2**63:
        raise InputError(f"{where}: {quote(text)} is not a whole number")
    return int(value)


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes is none.

    Raises InputError where a folder on the way may not be read: what is in it is not known.
    """
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether there is such a folder, as `is_file`."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except PermissionError as error:
        raise _unreadable(path, error) from None
    except (OSError, ValueError):
        return 0


def list_entries(folder: Path, pattern: str = "*") -> Iterator[Path]:
    """What is in a folder under such a name, in any order; nothing where there is no folder.

    Unlike `Path.glob`, which takes a folder that may not be read for an empty one, this raises
    InputError there.
    """
    if is_folder(folder):
        try:
            yield from (path for path in folder.iterdir() if fnmatchcase(path.name, pattern))
        except OSError as error:
            raise _unreadable(folder, error) from None


def files_below(folder: Path) -> list[Path]:
    """All files in a folder and those below it, sorted; links to folders are not followed.

    Raises InputError where one of the folders cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise _unreadable(Path(error.filename), error) from None

    walk = os.walk(folder, onerror=refuse)
    return sorted(Path(base, name) for base, _, names in walk for name in names)


def names_below(folder: Path) -> Iterator[str]:
    """Of the same files their paths below the folder, with ``/``, in any order.

    Raises InputError where one of the folders cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise _unreadable(Path(error.filename), error) from None

    for base, _, names in os.walk(folder, onerror=refuse):
        below = "" if base == str(folder) else os.path.relpath(base, folder).replace(os.sep, "/")
        yield from (f"{below}/{name}" if below else name for name in names)


def quote(text: object, limit: int = 60) -> str:
    """Foreign text for a message: quoted, on one line, not too long."""
    quoted = repr(text)
    return quoted if len(quoted) <= limit else f"{quoted[:limit]}…"


def one_line(text: str) -> str:
    """Its words with single spaces between."""
    return " ".join(text.split())


def name_of(text: str, where: str) -> str:
    """A category's name, without space around it; empty where there is none.

    Raises InputError where it has more than one line: that is likely two names.
    """
    if len(text.strip().splitlines()) > 1:
        raise InputError(f"{where}: the name {quote(text)} has a line break; write it on one line")
    return one_line(text)


def is_unicode(text: str) -> bool:
    """Whether it has a UTF-8 form; halves of surrogate pairs have none, as in odd file names."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sayable(text: str) -> bool:
    """Not empty, no braces: those could be taken for a location's place in a template."""
    return bool(text) and "{" not in text and "}" not in text


def _unreadable(path: Path, error: OSError) -> InputError:
    reason = error.strerror or type(error).__name__
    return InputError(f"{path}: cannot be read ({reason}); check the path")
