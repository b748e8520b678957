"""Files of records."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from locvlm.interchange.export.base import Record
from locvlm.io.atomic import atomic_write


def write_records(records: Iterable[Record], out: Path, *, lines: bool) -> None:
    """One record per line, or else one JSON array."""
    with atomic_write(out) as file:
        file.write(b"" if lines else b"[")
        for number, record in enumerate(records):
            separator = b"" if lines or not number else b","
            file.write(separator + (b"" if lines else b"\n") + msgspec.json.encode(record))
            file.write(b"\n" if lines else b"")
        file.write(b"" if lines else b"\n]\n")
