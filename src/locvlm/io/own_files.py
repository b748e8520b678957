"""Files that LocVLM has written, read back: they may have been changed since, by anybody.

Each is read as a type, so that what is wrong with it is one line that names file and field.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from locvlm.errors import InputError
from locvlm.io.reading import BOM, read_bytes

DEPTH = 100  # of lists and objects in each other; what LocVLM writes has a dozen

# Strings are passed over, so that what is found stands outside of them; a whole number of 20
# digits is more than 64 bits hold
_MARKS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]|(?<![\d.eE+])\d{20,}+(?![.eE])')
_DIGITS = re.compile(rb"\d{20}")

T = TypeVar("T")


def read_own_json(path: Path, kind: type[T], what: str) -> T:
    """A JSON file as `kind`.

    Args:
        path: the file.
        kind: what it holds; of a `dict` nothing but depth and numbers is checked.
        what: it is, for messages: "a manifest of locvlm build".

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    return decode_own(read_bytes(path).removeprefix(BOM), kind, str(path), what)


def decode_own(
    data: bytes,
    kind: type[T],
    where: str,
    what: str,
    decoder: msgspec.json.Decoder[T] | None = None,
) -> T:
    """One JSON value as `kind`, by its `decoder` where there is one.

    Raises InputError with `where` it stands, unless it is `what` it should be.
    """
    try:
        value = (decoder or msgspec.json.Decoder(kind)).decode(data)
        _check_extent(data)
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not {what}: not UTF-8 text ({error.reason})") from None
    except RecursionError:
        raise InputError(f"{where}: not {what}: nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"{where}: not {what}: {_shorten(error)}") from None
    return value


def convert_own(tree: Any, kind: type[T], where: str, what: str) -> T:
    """What was read already as `kind`. Raises InputError as `decode_own`."""
    try:
        return msgspec.convert(tree, kind)
    except RecursionError:
        raise InputError(f"{where}: not {what}: nested too deeply") from None
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: not {what}: {_shorten(error)}") from None


def _check_extent(data: bytes) -> None:
    """Raise ValueError where well-formed JSON is nested too deeply, or has a number too long."""
    if data.count(b"[") + data.count(b"{") <= DEPTH and not _DIGITS.search(data):
        return
    depth = 0
    for found in _MARKS.finditer(data):
        mark = found[0]
        if mark in b"[{":
            depth += 1
            if depth > DEPTH:
                raise ValueError(f"nested more than {DEPTH} deep (byte {found.start()})")
        elif mark in b"]}":
            depth -= 1
        elif mark[:1] != b'"':
            raise ValueError(f"a number of {len(mark)} digits (byte {found.start()})")


def _shorten(error: Exception) -> str:
    """On one line: foreign keys are in its place."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:200]} … {text[-80:]}"
