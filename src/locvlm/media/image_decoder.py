"""The one door to a picture file: its size is looked at before a byte is decoded.

Pillow alone would start Ghostscript for an EPS that is called ``a.jpg``, try forty formats that no
data set has, and bound pixels by a setting that all of a program shares.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import one_line
from locvlm.media.signatures import name_kind

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

LIMIT = "LOCVLM_MAX_IMAGE_PIXELS"  # environment variable that raises the next
MOST_PIXELS = 250_000_000  # of a picture: 750 MB in memory; aerial photos have 100 to 200 million
MOST_RATIO = 1000  # of its sides: models scale the shorter to some hundred pixels
# JPEG also reads MPO; the last ones only where Pillow, or a library beside it, reads them
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF")
_BROKEN_HEADER = (SyntaxError, IndexError, TypeError, struct.error)  # how Pillow says: not mine


@contextmanager
def open_image_file(path: str | Path, formats: Sequence[str] = ()) -> Iterator[Image.Image]:
    """A picture file as Pillow opens it, not decoded yet; closed at the end.

    Whatever reading it fails at becomes an InputError that names it, also later, as it is decoded.

    Args:
        path: of the file.
        formats: names of Pillow's that it may have; by default those of pictures.

    Raises:
        InputError: the file cannot be read, is no picture, or one that is too large or too narrow.
    """
    name = str(path)
    with as_input_error(name):
        if not stat.S_ISREG(Path(path).stat().st_mode):  # a pipe would be waited for
            raise InputError(
                f"{name}: not a readable picture (it is a folder or a device); give a file"
            )
        with (
            Path(path).open("rb") as file,
            _identify(file, name, formats or known_formats()) as image,
        ):
            check_pixels(image.size, name)
            yield image


@cache
def known_formats() -> tuple[str, ...]:
    """Those of Pillow's that are opened: of pictures, and read here."""
    from PIL import Image

    try:  # pillow-heif, where it is installed, tells Pillow how to read HEIF
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found]
    except ImportError:
        pass
    else:
        register_heif_opener()
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def check_pixels(size: Size, name: str) -> None:
    """Raises InputError where a picture of `size` (width, height) is too much to decode."""
    width, height = size
    if width * height > (most := pixel_limit()):
        raise InputError(
            f"{name}: not a readable picture ({width} × {height} pixels, {width * height} in all, "
            f"{most} at most); give a smaller copy, or raise the limit by the environment variable "
            f"{LIMIT}={width * height}"
        )
    if max(size) > MOST_RATIO * max(1, min(size)):
        raise InputError(
            f"{name}: not a readable picture ({width} × {height} pixels: one side is more than "
            f"{MOST_RATIO} times the other); cut it into parts"
        )


def pixel_limit() -> int:
    """How many pixels a picture may have. Raises InputError where the variable is no number."""
    text = os.environ.get(LIMIT, "").strip()
    if not text:
        return MOST_PIXELS
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InputError(f"{LIMIT}={text!r} is no number of pixels; give one such as {MOST_PIXELS}")
    return int(text)


@contextmanager
def as_input_error(name: str) -> Iterator[None]:
    """Whatever reading the picture `name` fails at becomes an InputError that names it."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except InputError:
        raise
    except FileNotFoundError as error:
        link = ", the link leads nowhere" if Path(name).is_symlink() else ""
        raise InputError(f"{name}: no such file{link}; check the path of the picture") from error
    except UnidentifiedImageError as error:
        kind = name_kind(name)
        what = f"unknown format: {kind}" if kind else "unknown format"
        raise InputError(
            f"{name}: not a readable picture ({what}); give a JPEG or PNG file"
        ) from error
    except Exception as error:  # on a broken file Pillow raises whatever it stumbles on
        words = getattr(error, "strerror", None) or one_line(str(error)) or type(error).__name__
        raise InputError(
            f"{name}: not a readable picture ({words}); give a JPEG or PNG file"
        ) from error


def _identify(file: IO[bytes], name: str, formats: Sequence[str]) -> ImageFile:
    """By the first of the formats that takes it."""
    from PIL import Image, UnidentifiedImageError

    known_formats()
    start = file.read(16)
    for each in formats:
        opener, accepts = Image.OPEN[each]
        taken = accepts is None or accepts(start)
        if not taken or isinstance(taken, str):  # a text says why Pillow lacks what it takes
            continue
        file.seek(0)
        try:
            return opener(file, name)
        except _BROKEN_HEADER:
            continue
    raise UnidentifiedImageError
