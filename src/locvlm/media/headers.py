"""What a picture file says about its pixels, read without decoding them."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.geometry import Box, Size
from locvlm.media.image_decoder import open_image_file

if TYPE_CHECKING:
    from PIL import Image

_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112  # TIFF and EXIF
_PIXELS, _END = b"IDAT", b"IEND"  # chunks of a PNG


@dataclass(frozen=True, slots=True)
class Header:
    """The pixels of a picture file, as they lie in it and as they are displayed."""

    stored: Size  # width, height, as the pixels lie in the file
    orientation: int = 1  # EXIF, 1 … 8

    @property
    def displayed(self) -> Size:
        """Width and height as a viewer shows it: the pixels of all boxes of LocVLM."""
        width, height = self.stored
        return (height, width) if self.orientation >= 5 else (width, height)

    def upright(self, box: Box) -> Box:
        """A box in pixels as stored, in pixels as displayed."""
        width, height = self.stored
        x1, y1, x2, y2 = box.x1, box.y1, box.x2, box.y2
        if self.orientation in (2, 3, 7, 8):
            x1, x2 = width - x2, width - x1
        if self.orientation in (3, 4, 6, 7):
            y1, y2 = height - y2, height - y1
        return Box(y1, x1, y2, x2) if self.orientation >= 5 else Box(x1, y1, x2, y2)


def read_header(path: Path) -> Header:
    """The header of a picture file; a picture that is broken further down is not told here.

    Raises:
        InputError: the file is missing, or no picture.
    """
    from PIL import Image

    with open_image_file(path) as image:
        # PNG's own getexif decodes the pixels to find a note behind them; Image's does not.
        late = image.format == "PNG" and _has_notes_behind_pixels(path)
        exif = image.getexif() if late else Image.Image.getexif(image)
        orientation = exif.get(_ORIENTATION, 1)
        known = isinstance(orientation, int) and 1 <= orientation <= 8
        return Header(_stored_size(image), orientation if known else 1)


def _stored_size(image: Image.Image) -> Size:
    """Pillow gives the size of a TIFF as displayed, and of all else as stored."""
    tags = getattr(image, "tag_v2", None)
    return (int(tags[_WIDTH]), int(tags[_HEIGHT])) if tags else image.size


def _has_notes_behind_pixels(path: Path) -> bool:
    """Whether a PNG has other chunks behind its pixels: one may say how to turn it."""
    pixels = False
    with path.open("rb") as file:
        file.seek(8)  # the signature
        while len(start := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", start)
            if pixels and kind not in (_PIXELS, _END):
                return True
            pixels |= kind == _PIXELS
            file.seek(length + 4, os.SEEK_CUR)  # its data and their checksum
    return False
