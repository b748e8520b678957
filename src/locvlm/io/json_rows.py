"""Typed rows of JSON files, read and written: those of LocVLM, and those of others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from locvlm.io.atomic import write_bytes
from locvlm.io.own_files import decode_own
from locvlm.io.reading import BOM, decode_json, read_bytes

T = TypeVar("T")


def json_rows(path: Path, kind: type[T], what: str) -> Iterator[tuple[str, T]]:
    """The rows of JSON lines, or of one JSON list, each behind its place (``FILE: line 7``).

    Publishers give both forms the same ending. Empty lines are no rows.

    Args:
        path: the file.
        kind: of a row.
        what: the rows are, for messages: "predictions".

    Raises:
        InputError: it cannot be read, or a row is not of the kind.
    """
    data = read_bytes(path).removeprefix(BOM)
    if data.lstrip()[:1] == b"[":
        for number, row in enumerate(decode_json(path, list[kind], f"a list of {what}")):  # type: ignore[valid-type]
            yield f"{path}: [{number}]", row
        return
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(data.splitlines(), 1):
        place = f"{path}: line {number}"
        if line.strip():
            yield place, decode_own(line, kind, place, f"a row of {what}", decoder)


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that a killed run left unfinished."""
    if path.exists():
        data = path.read_bytes()
        os.truncate(path, data.rfind(b"\n") + 1)


def append_rows(path: Path, rows: Iterable[Any]) -> None:
    """Add rows and hand them to the system at once: a kill loses the current pictures at most."""
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """A whole JSON-lines file, there complete or not at all."""
    write_bytes(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, there complete or not at all."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
