"""Whether a file is whole, where FFmpeg passes over damage without a word."""

from __future__ import annotations

import os
from pathlib import Path

_GIF_TRAILER = b";"  # the last byte
_FLV_HEADER, _FLV_TAG, _FLV_BACK = 9, 11, 4  # bytes (Adobe Flash Video File Format, annex E)


def is_whole_gif(path: Path) -> bool:
    """Whether it has its last byte."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == _GIF_TRAILER


def is_whole_flv(path: Path) -> bool:
    """Whether its tags follow each other up to its end, each with its size behind it."""
    end = path.stat().st_size
    with path.open("rb") as file:
        place = int.from_bytes(file.read(_FLV_HEADER)[5:], "big") + _FLV_BACK
        while place + _FLV_TAG <= end:
            file.seek(place + 1)
            size = _FLV_TAG + int.from_bytes(file.read(3), "big")
            file.seek(place + size)
            if int.from_bytes(file.read(_FLV_BACK), "big") not in (size, size - _FLV_TAG, 0):
                return False  # some writers leave the tag's head out of the size, or all of it
            place += size + _FLV_BACK
    return place == end
