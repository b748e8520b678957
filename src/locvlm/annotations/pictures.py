"""Files of the pictures: names that stay in their folder, presence, and sizes as displayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, TypeVar

from locvlm.annotations.files import is_file, is_folder, is_unicode, shown
from locvlm.errors import InputError
from locvlm.geometry import Box, Size

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
LARGEST = 2**31 - 1  # pixels a side, as in PNG
_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112  # TIFF and EXIF

if TYPE_CHECKING:
    from PIL import Image

K = TypeVar("K")


def safe_name(name: str, where: str) -> str:
    """`name`, a path with ``/`` below the folder of the pictures.

    Raises:
        InputError: it is empty, absolute, leads out of its folder or is no Unicode.
    """
    parts = PurePosixPath(name).parts
    bad = not parts or ".." in parts or "\\" in name or "\0" in name or "\n" in name
    if bad or PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive:
        raise InputError(
            f"{where}: the file name {shown(name)} does not stay in its folder; give a relative "
            "path with / and without .."
        )
    if not is_unicode(name):
        raise InputError(f"{where}: the file name {shown(name)} is not UTF-8; rename the file")
    return name


def checked_size(width: int, height: int, where: str) -> Size:
    """``(width, height)``. Raises InputError unless both are possible numbers of pixels."""
    if min(width, height) < 1 or max(width, height) > LARGEST:
        raise InputError(f"{where} is {width} × {height} pixels; give its width and height")
    return width, height


def checked_folder(folder: Path) -> Path:
    """`folder`. Raises InputError where there is none."""
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder of pictures; check the path")
    return folder


@dataclass(slots=True)
class Folder:
    """The folder of the pictures, asked for one picture after the other."""

    path: Path | None  # None: do not look, every picture is taken to be there
    drops: Counter[str]  # missing pictures are added to
    found: int = 0
    missing: int = 0
    first: str = ""  # name of the first picture that is missing

    def __post_init__(self) -> None:
        if self.path is not None:
            checked_folder(self.path)

    def find(self, names: Sequence[str]) -> str | None:
        """The first of the `names` that is there; None, and counted, where none is."""
        for name in names:
            if self.path is None or is_file(self.path / name):
                self.found += 1
                return name
        self.missing += 1
        self.first = self.first or names[0]
        self.drops["pictures whose file is missing"] += 1
        return None

    def check(self, source: Path) -> None:
        """Raises InputError where none of the pictures that `source` names was there."""
        if self.missing and not self.found:
            raise InputError(
                f"{self.path}: has none of the {self.missing} pictures of {source} (the first is "
                f"{self.first}); give the folder that the file names are relative to"
            )


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
    place = Folder(folder, drops)
    found = {key: name for key, choice in names.items() if (name := place.find(choice))}
    place.check(source)
    return found


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
            size = _stored_size(image)
    except Exception:  # on a broken file Pillow raises whatever it stumbles on
        drops["pictures that cannot be read"] += 1
        return None
    known = isinstance(orientation, int) and 1 <= orientation <= 8
    return Header(size, orientation if known else 1)


def _stored_size(image: Image.Image) -> Size:
    """Pillow gives the size of a TIFF as displayed, and of all else as stored."""
    tags = getattr(image, "tag_v2", None)
    return (tags[_WIDTH], tags[_HEIGHT]) if tags else image.size
