"""Typed rows of JSON files: those that are written here, and those of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from locvlm.annotations.files import BOM, decode_json, read_bytes
from locvlm.errors import InputError

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
            try:
                yield place, decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise InputError(f"{place}: not a row of {what}: {error}") from None
