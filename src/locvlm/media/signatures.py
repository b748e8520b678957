"""What a file is by its first bytes: people rename files, and a still may be called ``x.gif``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["still", "animation", "gif", "other"]  # animation: WebP or PNG with frames

HEAD = 4096  # bytes: what stands before the pixels of a PNG that has frames
_STILLS = (b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")  # JPEG, BMP, TIFF
_PNG = b"\x89PNG\r\n\x1a\n"
_HEIF = frozenset({b"avif", b"heic", b"heix", b"mif1"})  # brands of stills, ISO/IEC 14496-12, 4.3
_WEBP_ANIMATION = 0x02  # bit of the flags in the chunk VP8X


def read_kind(path: Path) -> Kind:
    """By its first bytes, whatever its name; "other" is a clip, or nothing that is known.

    A missing file is "other".
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return "other"
    if head[:4] == b"GIF8":
        return "gif"
    if head[:8] == _PNG:
        return "animation" if b"acTL" in head.partition(b"IDAT")[0] else "still"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        moves = head[12:16] == b"VP8X" and head[20:21] and head[20] & _WEBP_ANIMATION
        return "animation" if moves else "still"
    if head.startswith(_STILLS) or (head[4:8] == b"ftyp" and head[8:12] in _HEIF):
        return "still"
    return "other"
