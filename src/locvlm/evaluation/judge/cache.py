"""Replies of the judge on disk: what was answered once is not asked, nor paid for, again."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.json_rows import append_rows, drop_torn_line, json_rows

_BEGINNING = b'{"key":'  # of a row


@dataclass(frozen=True, slots=True)
class CachedReply:
    """One row of the file."""

    key: str  # of everything that was asked with
    question: str
    truth: str
    prediction: str
    reply: str  # raw


class ReplyCache:
    """All replies in a file. Threads may add to it at the same time."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where the file holds something else."""
        self.path = path
        self._lock = threading.Lock()
        self._replies: defaultdict[str, list[str]] = defaultdict(list)
        _refuse_other_files(path)
        drop_torn_line(path)
        rows = json_rows(path, CachedReply, "replies of a judge") if path.exists() else ()
        for _, row in rows:
            self._replies[row.key].append(row.reply)

    def replies(self, key: str) -> list[str]:
        """In the order that they were given."""
        return self._replies.get(key, [])

    def add(self, row: CachedReply) -> None:
        """On disk when this returns."""
        with self._lock:
            append_rows(self.path, [row])
            self._replies[row.key].append(row.reply)


def _refuse_other_files(path: Path) -> None:
    """Raises InputError for one that no judge's replies were written to: nothing is cut off it."""
    start, end = _BEGINNING, b""
    if path.exists():
        with path.open("rb") as file:
            end = file.read(len(start))
    if not start.startswith(end):
        raise InputError(f"{path}: line 1: no reply of a judge; move the file away")
