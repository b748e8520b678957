"""Files of the pictures: names that stay in their folder, presence, and sizes as displayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

from locvlm.annotations.files import shown
from locvlm.errors import InputError
from locvlm.geometry import Box, Size

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
LARGEST = 2**31 - 1  # pixels a side, as in PNG
_ORIENTATION = 0x0112  # EXIF

K = TypeVar("K")


def safe_name(name: str, where: str) -> str:
    """`name`, a path with ``/`` below the folder of the pictures.

    Raises:
        InputError: it is empty, absolute or leads out of its folder.
    """
    parts = PurePosixPath(name).parts
    bad = not parts or ".." in parts or "\\" in name or "\0" in name or "\n" in name
    if bad or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        raise InputError(
            f"{where}: the file name {shown(name)} does not stay in its folder; give a relative "
            "path with / and without .."
        )
    return name


def checked_size(width: int, height: int, where: str) -> Size:
    """``(width, height)``. Raises InputError unless both are possible numbers of pixels."""
    if min(width, height) < 1 or max(width, height) > LARGEST:
        raise InputError(
            f"{where} is {width} × {height} pixels; give its width and height"
        )
    return width, height


def checked_folder(folder: Path) -> Path:
    """`folder`. Raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of pictures; check the path")
    return folder


def in_folder(
    names: Mapping[K, Sequence[str]], folder: Path | None, source: Path, drops: Counter[str]
) -> dict[K, str]:
    """The file name of each picture that is there; the others are counted in `drops`.

    Args:
        names: per picture the names that its file may have, relative to the folder.
        folder: of the pictures; None: do not look, the first name is taken.
        source: the annotation file, for the message.
        drops: reason -> how many; added to.

    Raises:
        InputError: no such folder, or it has none of the pictures.
    """
    if folder is None:
        return {key: choice[0] for key, choice in names.items()}
    checked_folder(folder)
    found = {key: there for key, choice in names.items() if (there := _first(choice, folder))}
    if names and not found:
        first = next(iter(names.values()))[0]
        raise InputError(
            f"{folder}: has none of the {len(names)} pictures of {source} (the first is {first}); "
            "give the folder that the file names are relative to"
        )
    drops["pictures whose file is missing"] += len(names) - len(found)
    return found


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _first(names: Sequence[str], folder: Path) -> str | None:
    return next((name for name in names if is_file(folder / name)), None)


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture file says about its pixels without being decoded."""

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


def header(path: Path, drops: Counter[str]) -> Header | None:
    """The header of a picture file; None, and counted in `drops`, where there is none.

    Pixels are not decoded, so a picture that is broken further down is not told here.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            # PNG's own getexif decodes the pixels to find a note behind them; this one does not.
            orientation = Image.Image.getexif(image).get(_ORIENTATION, 1)
            size = image.size
    except Exception:  # on a broken file Pillow raises whatever it stumbles on
        drops["pictures that cannot be read"] += 1
        return None
    known = isinstance(orientation, int) and 1 <= orientation <= 8
    return Header(size, orientation if known else 1)
