"""Files that no model can be shown, as people have them; each with words of what is said of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG of so many pixels in a hundred bytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = _chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + data + _chunk(b"IEND", b"")


def encode(format: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """Noise, so that a cut file lacks pixels."""
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def _change(data: bytes, chunk: bytes, place: int) -> bytes:
    """With another byte so far behind the name of a chunk."""
    changed = bytearray(data)
    changed[data.index(chunk) + place] ^= 0xFF
    return bytes(changed)


def _compress_oddly(data: bytes) -> bytes:
    """A TIFF whose entry 259 says that its pixels are compressed as no reader knows."""
    return data.replace(struct.pack("<HHIH", 259, 3, 1, 1), struct.pack("<HHIH", 259, 3, 1, 50001))


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n%%EndComments\nshowpage\n%%EOF\n"


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


# name -> (makes the file, words of the message)
BAD_IMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (_bytes(b""), "the file is empty"),
    "zeros": (_bytes(bytes(5000)), "zeros alone"),
    "web page": (_bytes(b"<!DOCTYPE html>\n<html><body>404</body></html>"), "a web page"),
    "svg": (_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "an SVG drawing"),
    "git lfs": (_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "Git LFS"),
    "eps": (_bytes(EPS), "EPS"),
    "pdf": (_bytes(b"%PDF-1.4\n"), "a PDF document"),
    "text": (_bytes(b"not a picture at all"), "unknown format"),
    "cut jpeg": (_bytes(encode("JPEG")[:-20]), "truncated"),
    "half jpeg": (_bytes(encode("JPEG")[:900]), "truncated"),
    "cut png": (_bytes(encode("PNG")[:-2000]), "truncated"),
    "broken png": (_bytes(encode("PNG").replace(b"IDAT", b"IDAX", 1)), "not a readable picture"),
    "cut webp": (_bytes(encode("WEBP")[:-500]), "not a readable picture"),
    "png checksum": (_bytes(_change(encode("PNG"), b"IDAT", 100)), "broken data stream"),
    "png header checksum": (_bytes(_change(encode("PNG"), b"IHDR", 17)), "its header is damaged"),
    "psd": (_bytes(b"8BPS\0\1" + bytes(20)), "a Photoshop file"),
    "odd tiff": (_bytes(_compress_oddly(encode("TIFF"))), "not a readable picture"),
    "header alone": (_bytes(encode("JPEG")[:10]), "Truncated File Read"),
    "wide bomb": (_bytes(png_header(170_000_000, 1)), "one side is more than 1000 times"),
    "pixel bomb": (_bytes(png_header(60_000, 60_000)), "LOCVLM_MAX_IMAGE_PIXELS=3600000000"),
    "folder": (lambda path: path.mkdir(), "a folder or a device"),
    "dangling link": (
        lambda path: path.symlink_to("nowhere.jpg"),
        "no such file, the link leads nowhere",
    ),
    "float": (lambda path: Image.new("F", (64, 48)).save(path, "TIFF"), "no agreed display"),
}
