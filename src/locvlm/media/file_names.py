r"""Files found under the names that other tools write for them: one door for all readers.

A name is taken as it stands first. Where no file has it, it is read as tools write names that were
right on another machine:

    images\7.jpg                          Windows
    /home/ann/set/images/7.jpg            absolute, here or elsewhere: by its last parts
    ../../media/upload/3/7.jpg            out of the folder: by its last parts
    images/7.jpg                          begins with the name of the folder that is given
    http://host/data/upload/3/7.jpg       URL: by its last parts; /data/local-files/?d=set/7.jpg
    a%20b.jpg                             quoted as in a URL, in the name or on the disk
    Geba + U+0308 + ude.jpg               another Unicode form, as archives made on a Mac have
    7.JPG, 7.png for 7.jpg                other case, other ending
    1a2b3c4d-7.jpg                        the prefix that Label Studio puts before an upload

It is found where exactly one file fits, and only inside the folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import parse_qs, unquote, urlsplit

from locvlm.io.reading import is_file, names_below

# That change nothing about which file is meant.
SLASHES, QUOTED, UNICODE, INSIDE, FOLDER = (
    "with \\ for /",
    "quoted as in a URL",
    "in another Unicode form",
    "absolute, inside the folder",
    "that begin with the name of the folder",
)
# By which a file is likely the one that is meant.
ELSEWHERE, URL, CASE, ENDING, UPLOAD = (
    "of another place, taken by their last parts",
    "that are URLs, taken by their last parts",
    "in other case",
    "with another ending",
    "with a prefix of Label Studio",
)
GUESSED = frozenset({CASE, ENDING, UPLOAD})  # a file may have such a name of its own
_ENDINGS = frozenset(
    f".{ending}"
    for ending in "avif bmp gif heic heif jfif jpe jpeg jpg png tif tiff webp".split()  # noqa: SIM905
)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"[A-Za-z]:/")
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")  # label_studio/data_import/models.py: uuid4()[0:8]
_SPLIT = re.compile(r"(train|val|test)(ing|id|idation)?\d*")
_NEAR = 3  # folders above a picture that may tell its split

Parts = tuple[str, ...]


class Found(NamedTuple):
    """A file and how it was found."""

    file: str  # relative to the folder, with /
    rules: tuple[str, ...]


class SeveralFit(Exception):
    """More than one file may be meant."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to read a name."""

    parts: Parts
    rules: tuple[str, ...]
    inside: bool  # it begins in the folder, or a folder above it; else somewhere else


class FileNames:
    """The files of `folder`; they are listed when first a name needs it, and once.

    Args:
        folder: that all of them are in.
        endings: whether an image may have another ending than its name.
    """

    def __init__(self, folder: Path, endings: bool = True):
        self._folder = folder
        self._forms = _FORMS if endings else {key: _FORMS[key] for key in (UNICODE, QUOTED, CASE)}
        self._own = Path(os.path.abspath(folder)).parts[1:]  # noqa: PTH100

    def find(self, name: str) -> Found | None:
        """The only file that `name` can mean; None where there is none.

        Raises:
            SeveralFit: there are several.
        """
        readings = _readings(name)
        for reading in (*readings, *filter(None, map(_without_prefix, readings))):
            tails = list(self._tails(reading))
            found = self._exact(tails) or self._alike(tails)
            if found:
                return Found(found.file, (*reading.rules, *filter(None, found.rules)))
        return None

    def find_exact(self, name: str, exists: Callable[[Path], bool]) -> Found | None:
        """What `name` can mean, letter by letter, of what `exists`; also a folder.

        None where there is none, or several.
        """
        for reading in _readings(name):
            try:
                found = self._exact(list(self._tails(reading)), exists)
            except SeveralFit:
                return None
            if found:
                return Found(found.file, (*reading.rules, *filter(None, found.rules)))
        return None

    def _tails(self, reading: _Reading) -> Iterator[tuple[Parts, str]]:
        """The paths below the folder that it may be, each with its rule."""
        parts, own = reading.parts, self._own
        if reading.inside:
            yield parts, ""
            for count in range(1, len(parts)):
                if parts[:count] == own[-count:]:
                    yield parts[count:], FOLDER
        elif URL not in reading.rules and parts[: len(own)] == own:
            yield parts[len(own) :], INSIDE
        else:
            here = split_of(own)
            for count in range(len(parts)):
                there = split_of(parts[:count])
                if not here or not there or here == there:  # val/7.jpg is not train/7.jpg
                    yield parts[count:], "" if URL in reading.rules else ELSEWHERE

    def _exact(
        self, tails: list[tuple[Parts, str]], exists: Callable[[Path], bool] = is_file
    ) -> Found | None:
        found = [
            Found("/".join(parts), (rule,))
            for parts, rule in tails
            if parts and exists(self._folder.joinpath(*parts))
        ]
        return _only([item for item in found if item.rules == ("",)] or found)

    def _alike(self, tails: list[tuple[Parts, str]]) -> Found | None:
        """As `_exact`, with a file whose name is only alike; the closest likeness first."""
        listed = self._listed.get(_key(tails[0][0][-1]), ()) if tails and tails[0][0] else ()
        for likeness, form in self._forms.items():
            found = [
                Found(file, (rule, likeness))
                for parts, rule in tails
                for file in listed
                if form(file) == form("/".join(parts)) and is_file(self._folder / file)
            ]
            if found:
                return _only(found)
        return None

    @cached_property
    def _listed(self) -> dict[str, list[str]]:
        """The files by what their names are alike in."""
        listed: dict[str, list[str]] = {}
        for path in names_below(self._folder):
            listed.setdefault(_key(path.rpartition("/")[2]), []).append(path)
        return listed


def _readings(name: str) -> list[_Reading]:
    """The ways to read `name`, none of which leads out of where it begins."""
    rules: tuple[str, ...]
    if _SCHEME.match(name) or name.startswith("/data/local-files/"):
        path, rules, inside = _path_of(name), (URL,), False
    else:
        path, rules = name.replace("\\", "/"), (SLASHES,) * ("\\" in name)
        inside = path[:1] != "/" and not _DRIVE.match(path)
    readings = [(path, rules)]
    if "%" in path:
        readings.append((unquote(path), (*rules, QUOTED)))
    made = []
    for text, how in readings:
        parts = tuple(part for part in text.split("/") if part not in ("", "."))
        above = count_above(parts)
        parts = parts[above:]
        if parts and ".." not in parts and "\0" not in text:
            made.append(_Reading(parts, how, inside and not above))
    return made


def count_above(parts: Sequence[str]) -> int:
    """How many ``..`` a path begins with."""
    return next((place for place, part in enumerate(parts) if part != ".."), len(parts))


def _path_of(url: str) -> str:
    """Of a URL, or what its ``d`` says, as in Label Studio's ``/data/local-files/?d=``."""
    try:
        address = urlsplit(url)
    except ValueError:  # half of an IPv6 address
        return ""
    return parse_qs(address.query).get("d", [address.path])[0]


def _without_prefix(reading: _Reading) -> _Reading | None:
    """Of a file that was uploaded to Label Studio, its name before that."""
    *above, last = reading.parts
    if not _UPLOAD.match(last):
        return None
    return _Reading((*above, _UPLOAD.sub("", last)), (*reading.rules, UPLOAD), reading.inside)


def _only(found: list[Found]) -> Found | None:
    if len({item.file for item in found}) > 1:
        raise SeveralFit
    return found[0] if found else None


def split_of(folders: Parts) -> str:
    """The split that the last of the folders tell; empty where none does."""
    matches = (_SPLIT.fullmatch(name.lower()) for name in folders[: -_NEAR - 1 : -1])
    return next((match[1] for match in matches if match), "")


def _plain(path: str) -> str:
    return normalize("NFC", unquote(path))


def _without_ending(path: str) -> str:
    stem, ending = os.path.splitext(path)  # noqa: PTH122
    return stem if ending in _ENDINGS else path


_FORMS: dict[str, Callable[[str], str]] = {
    UNICODE: lambda path: normalize("NFC", path),
    QUOTED: _plain,
    CASE: lambda path: _plain(path).casefold(),
    ENDING: lambda path: _without_ending(_plain(path).casefold()),
}
_key = _FORMS[ENDING]
