"""Files of the pictures: names that stay in their folder, presence, and sizes as displayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_letters
from typing import TypeVar

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import is_file, is_folder, is_unicode, quote
from locvlm.media.headers import Header, read_header

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_BAD = frozenset("\\\0\n")  # in no name of a file
LARGEST = 2**31 - 1  # pixels a side, as in PNG

K = TypeVar("K")


def safe_name(name: str, where: str) -> str:
    """`name`, a path with ``/`` below the folder of the pictures.

    Raises:
        InputError: it is empty, absolute, leads out of its folder or is no Unicode.
    """
    parts = set(name.split("/")) - {"", "."}
    drive = name[:1] in ascii_letters and name[1:2] == ":"
    if not parts or ".." in parts or name[0] == "/" or drive or _BAD.intersection(name):
        raise InputError(
            f"{where}: the file name {quote(name)} does not stay in its folder; give a relative "
            "path with / and without .."
        )
    if not is_unicode(name):
        raise InputError(f"{where}: the file name {quote(name)} is not UTF-8; rename the file")
    return name


def check_size(width: int, height: int, where: str) -> Size:
    """``(width, height)``. Raises InputError unless both are possible numbers of pixels."""
    if min(width, height) < 1 or max(width, height) > LARGEST:
        raise InputError(f"{where} is {width} × {height} pixels; give its width and height")
    return width, height


def check_folder(folder: Path, of: str = "pictures") -> Path:
    """`folder`. Raises InputError where there is none."""
    if not is_folder(folder):
        raise InputError(f"{folder}: no such folder of {of}; check the path")
    return folder


@dataclass(slots=True)
class ImageFolder:
    """The folder of the pictures or clips, asked for one after the other."""

    path: Path | None  # None: do not look, every picture is taken to be there
    drops: Counter[str]  # those that are missing are added to
    of: str = "pictures"  # or "clips"
    found: int = 0
    missing: int = 0
    first: str = ""  # name of the first that is missing

    def __post_init__(self) -> None:
        if self.path is not None:
            check_folder(self.path, self.of)

    def find(self, names: Sequence[str]) -> str | None:
        """The first of the `names` that is there; None, and counted, where none is."""
        for name in names:
            if self.path is None or is_file(self.path / name):
                self.found += 1
                return name
        self.missing += 1
        self.first = self.first or names[0]
        self.drops[f"{self.of} whose file is missing"] += 1
        return None

    def check(self, source: Path) -> None:
        """Raises InputError where none of those that `source` names was there."""
        if self.missing and not self.found:
            raise InputError(
                f"{self.path}: has none of the {self.missing} {self.of} of {source} (the first is "
                f"{self.first}); give the folder that the file names are relative to"
            )


def find_images(
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
    place = ImageFolder(folder, drops)
    found = {key: name for key, choice in names.items() if (name := place.find(choice))}
    place.check(source)
    return found


def header_or_none(path: Path, drops: Counter[str]) -> Header | None:
    """The header of a picture file; None, and counted in `drops`, where it cannot be read."""
    try:
        return read_header(path)
    except InputError:
        drops["pictures that cannot be read"] += 1
        return None
