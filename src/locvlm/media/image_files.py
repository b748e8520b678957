"""Files of the pictures: names that stay in their folder, presence, and sizes as displayed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from string import ascii_letters
from typing import NoReturn, Protocol, TypeVar, runtime_checkable

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import is_file, is_folder, is_unicode, quote
from locvlm.media.file_names import GUESSED, FileNames, SeveralFit, count_above
from locvlm.media.headers import Header, read_header

_PLAIN = {".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"}
IMAGE_SUFFIXES = frozenset(_PLAIN | {".avif", ".heic", ".heif"})  # these where they can be read
_BAD = frozenset("\\\0\n")  # in no name of a file
_NEARBY = 100  # entries of a folder that are looked through for a message
LARGEST = 2**31 - 1  # pixels a side, as in PNG

K = TypeVar("K")


def safe_name(name: str, where: str) -> str:
    """`name`, a path with ``/`` below the folder of the pictures.

    Raises:
        InputError: it is empty, absolute, leads out of its folder or is no Unicode.
    """
    parts = set(name.split("/")) - {"", "."}
    drive = name[:1] in ascii_letters and name[1:2] == ":"
    if "\n" in name:
        raise InputError(f"{where}: the file name {quote(name)} has a line break; rename the file")
    if not parts or ".." in parts or name[0] == "/" or drive or _BAD.intersection(name):
        raise InputError(
            f"{where}: the file name {quote(name)} does not stay in its folder; give a relative "
            "path with / and without .."
        )
    if not is_unicode(name):
        raise InputError(f"{where}: the file name {quote(name)} is not UTF-8; rename the file")
    return name


def check_name(name: str, where: str) -> str:
    r"""`name`, as tools write it for a file that `ImageFolder.find` finds below its folder.

    Unlike `safe_name` this takes absolute names, URLs and ``\``, and ``../images/7.jpg``, of
    a place beside the folder; none of them is ever opened.

    Raises:
        InputError: it is empty, leads out of its folder by ``..`` or is no Unicode.
    """
    slashed = name.replace("\\", "/")
    parts = slashed.split("/")
    below = parts[count_above(parts) :]
    back = below == parts or len(below) > 1
    usual = slashed.strip("/.") and ".." not in below and back and _BAD.isdisjoint(slashed)
    return name if usual and is_unicode(name) else safe_name(name, where)


def _stays(name: str) -> bool:
    drive = name[1:2] == ":" and name[0] in ascii_letters
    return name[:1] != "/" and name[:3] != "../" and "\\" not in name and not drive


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


@runtime_checkable
class KeepsExamples(Protocol):
    """Drops with an example of each reason, such as those of the readers."""

    def note(self, reason: str, where: str) -> None:
        """One more, at that place."""


@dataclass
class ImageFolder:
    """The folder of the pictures or clips, asked for one after the other.

    A file is found under its name, else as `locvlm.media.file_names` says.
    """

    path: Path | None  # None: do not look, every picture is taken to be there
    drops: Counter[str]  # those that are missing are added to, and how others were found
    of: str = "pictures"  # or "clips"
    found: int = 0
    missing: int = 0
    first: str = ""  # name of the first that is missing
    _plain: set[str] = field(default_factory=set)  # files found under their names
    _renamed: dict[str, str] = field(default_factory=dict)  # other files -> the name they have
    _rules: dict[tuple[str, ...], list[str]] = field(default_factory=dict)  # -> names

    def __post_init__(self) -> None:
        if self.path is not None:
            check_folder(self.path, self.of)

    @cached_property
    def _names(self) -> FileNames:
        return FileNames(self.path or Path(), endings=self.of == "pictures")

    def find(self, names: Sequence[str]) -> str | None:
        """The first of the `names` that is there; None, and counted, where none is.

        Args:
            names: as `check_name` lets pass.

        Raises:
            InputError: a file has two names, or a name needs a folder and there is none.
        """
        name = self.find_plain(names)
        if name is None:
            name = self._find_renamed(names)
        if name is None:
            self.missing += 1
            self.first = self.first or names[0]
            _count(self.drops, f"{self.of} whose file is missing", names[0])
        return name

    def find_plain(self, names: Sequence[str]) -> str | None:
        """The first of the `names` that is there just so; None where none is."""
        for name in names:
            if self.path is None:
                self.found += 1
                return _relative(name) if self.of == "pictures" else name
            if _stays(name) and is_file(self.path / name):
                self.found += 1
                self._plain.add(name)
                if name in self._renamed:
                    self._refuse(name, self._renamed[name], name)
                return name
        return None

    def _find_renamed(self, names: Sequence[str]) -> str | None:
        for name in names:
            try:
                found = self._names.find(name)
            except SeveralFit:
                self.drops[f"names that several {self.of} fit"] += 1
                return None
            if found is None:
                continue
            other = found.file if found.file in self._plain else self._renamed.get(found.file, name)
            if other != name:
                if other == found.file and not GUESSED.isdisjoint(found.rules):
                    return None  # 7.png is not there; 7.jpg is, and is a picture of its own
                self._refuse(found.file, other, name)
            if found.file not in self._renamed:
                self._rules.setdefault(found.rules, []).append(name)
                self._renamed[found.file] = name
            self.found += 1
            return found.file
        return None

    def _refuse(self, file: str, one: str, other: str) -> NoReturn:
        raise InputError(
            f"{self.path}: {quote(one)} and {quote(other)} both mean the file {quote(file)}; "
            f"give the folder that the names are relative to, or one name for each of the {self.of}"
        )

    def check(self, source: Path) -> None:
        """Counts how files were found under other names.

        Raises InputError where none of those that `source` names was there.
        """
        for rules, names in self._rules.items():
            how = " and ".join(rules)
            self.drops[f"names of {self.of} {how} (the first: {quote(names[0])})"] += len(names)
        self._rules.clear()
        if self.missing and not self.found:
            raise InputError(
                f"{self.path}: has none of the {self.missing} {self.of} of {source} (the first is "
                f"{self.first}); give the folder that the file names are relative to"
                f"{self._tell_nearby()}"
            )

    def _tell_nearby(self) -> str:
        """A folder above or below that has the first of those that are missing."""
        if self.path is None or not _stays(self.first):
            return ""
        near = (self.path.absolute().parent, *_list_below(self.path))
        found = next((folder for folder in near if is_file(folder / self.first)), None)
        return f", such as {found}" if found else ""


def _list_below(folder: Path) -> Iterator[Path]:
    """Folders in a folder and in these, the first of them where there are many."""
    try:
        inner = sorted(path for path in islice(folder.iterdir(), _NEARBY) if path.is_dir())
        yield from inner
        for path in inner:
            yield from sorted(each for each in islice(path.iterdir(), _NEARBY) if each.is_dir())
    except OSError:  # it may not be listed: nothing is found there
        return


def _relative(name: str) -> str:
    """`name` with ``/``, of a file that nobody looks for."""
    name = name.replace("\\", "/")
    if not _stays(name):
        how = "leads out of its folder" if name[:3] == "../" else "is absolute"
        raise InputError(
            f"the file name {quote(name)} {how}; give the folder of the pictures to find it"
        )
    return name


def find_images(
    names: Mapping[K, Sequence[str]], folder: Path | None, source: Path, drops: Counter[str]
) -> dict[K, str]:
    """The file name of each picture that is there; the others are counted in `drops`.

    Args:
        names: per picture the names that its file may have, relative to the folder, or as
            `check_name` lets pass.
        folder: of the pictures; None: do not look, the first name is taken.
        source: the annotation file, for the message.
        drops: reason -> how many; added to.

    Raises:
        InputError: no such folder, or it has none of the pictures.
    """
    place = ImageFolder(folder, drops)
    plain = {key: name for key, choice in names.items() if (name := place.find_plain(choice))}
    if len(plain) == len(names):
        place.check(source)
        return plain
    found = {}
    for key, choice in names.items():
        name = plain[key] if key in plain else place.find(choice)
        if name:
            found[key] = name
    place.check(source)
    return found


def header_or_none(path: Path, drops: Counter[str]) -> Header | None:
    """The header of a picture file; None, and counted in `drops`, where it cannot be read."""
    try:
        return read_header(path)
    except InputError:
        _count(drops, "pictures that cannot be read", str(path))
        return None


def _count(drops: Counter[str], reason: str, example: str) -> None:
    """One more, with an example where drops keep one."""
    if isinstance(drops, KeepsExamples):
        drops.note(reason, example)
    else:
        drops[reason] += 1
