"""What a file is by its first bytes: people rename files, and a still may be called ``x.gif``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from locvlm.io.reading import is_file

Kind = Literal["still", "animation", "gif", "other"]  # animation: WebP or PNG with frames

HEAD = 4096  # bytes: what stands before the pixels of a PNG that has frames
_STILLS = (b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")  # JPEG, BMP, TIFF
_PNG = b"\x89PNG\r\n\x1a\n"
# Brands of stills, ISO/IEC 14496-12, 4.3
_HEIF = frozenset({b"avif", b"heic", b"heix", b"hevc", b"mif1", b"msf1"})
_OTHERS = {  # lower case: how files begin that are taken for pictures
    b"<!doctype html": "a web page, such as a failed download leaves",
    b"<html": "a web page, such as a failed download leaves",
    b"<?xml version": "an XML file, perhaps a drawing or a server's error",
    b"{": "JSON, such as a server's error",
    b"%!ps": "EPS, a page description",
    b"\xc5\xd0\xd3\xc6": "EPS, a page description",
    b"%pdf": "a PDF document",
    b"8bps": "a Photoshop file",
    b"version https://git-lfs": "a pointer of Git LFS; get the files with git lfs pull",
    b"pk\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}
_WEBP_ANIMATION = 0x02  # bit of the flags in the chunk VP8X


def read_kind(path: Path) -> Kind:
    """By its first bytes, whatever its name; "other" is a clip, or nothing that is known.

    A missing file is "other", and so is a pipe, which is never opened.
    """
    if not is_file(path):
        return "other"
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


def name_kind(path: str | Path) -> str:
    """What a file is that no decoder of pictures takes, for a message; "": not known."""
    if not is_file(Path(path)):
        return ""
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError):
        return ""
    if not head:
        return "the file is empty"
    if not head.strip(b"\0"):
        return "zeros alone, as a broken download leaves them"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, what in _OTHERS.items():
        if text.startswith(start):
            return what
    if b"<svg" in text:
        return "an SVG drawing"
    if head[4:8] == b"ftyp":
        return "HEIF, which pillow-heif reads" if head[8:12] in _HEIF else "a clip"
    if head.startswith((*_STILLS, _PNG, b"GIF8")) or head[8:12] == b"WEBP":
        return "its header is damaged"
    return ""
