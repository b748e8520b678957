"""The usable pictures of a COCO file: names that are there once, and sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec

from locvlm.annotations.coco_file import ImageEntry
from locvlm.annotations.drops import note
from locvlm.io.reading import Id, quote
from locvlm.media.image_files import (
    LARGEST,
    check_name,
    check_size,
    find_images,
    header_or_none,
)

FileNames = Mapping[Id, Sequence[str]]  # that a picture's file may have, by the picture's id


@dataclass
class UsableImages:
    """N pictures of a file, in its order, each with a size."""

    entries: list[ImageEntry]
    files: dict[Id, str]  # names of those that are there
    rows: dict[Id, int]  # id -> place among the entries; that of a repeated picture is the first's
    # Ids of those that cannot be used, and the id of the one with the same file, if there is one.
    lost: dict[Id, Id | None] = field(default_factory=dict)

    def row_by_name(self, names: FileNames) -> dict[str, int | None]:
        """The place by the file's name, whole or without folder and ending; None: of several."""
        found: dict[str, int | None] = {}
        for row, item in enumerate(self.entries):
            path = PurePosixPath(names[item.id][0])
            for name in {str(path), path.name, path.stem}:
                found[name] = row if found.get(name, row) == row else None
        return found


def find_usable_images(
    path: Path,
    images: Sequence[ImageEntry],
    names: FileNames,
    folder: Path | None,
    drops: Counter[str],
) -> UsableImages:
    """Those of `images` that have a size, in the file or in their own file.

    Args:
        path: the annotations, for messages.
        images: as the file has them.
        names: of their files.
        folder: of the pictures; None: do not look.
        drops: what is left out or joined; added to.

    Raises:
        InputError: a name leads out of its folder, no picture has a size, or the folder holds none.
    """
    single, doubles, lost = _join_repeated(path, images, names, drops)
    found = find_images({item.id: names[item.id] for item in single}, folder, path, drops)
    entries: list[ImageEntry] = []
    for item in single:
        sized = item if _has_size(item) else _with_own_size(item, found.get(item.id), folder, drops)
        if sized:
            entries.append(sized)
        else:
            lost[item.id] = None
            note(drops, "pictures without a size", f"{path}: image {item.id!r}, {item.file_name}")
    if lost and not entries:
        place, item = next(pair for pair in enumerate(images) if pair[1].id in lost)
        check_size(item.width, item.height, f"{path}: images[{place}] (id {item.id!r})")
    rows = {item.id: row for row, item in enumerate(entries)}
    for other, first in doubles.items():
        if first in rows:
            rows[other] = rows[first]
        else:
            lost[other] = None
    return UsableImages(entries, found, rows, lost)


def _join_repeated(
    path: Path, images: Sequence[ImageEntry], names: FileNames, drops: Counter[str]
) -> tuple[list[ImageEntry], dict[Id, Id], dict[Id, Id | None]]:
    """Each file once; the id of the first by those of further entries of its file, which can be
    joined with it, or cannot, for their boxes are pixels of another size.
    """
    first: dict[str, ImageEntry] = {}
    single, doubles, lost = list[ImageEntry](), dict[Id, Id](), dict[Id, Id | None]()
    for place, item in enumerate(images):
        for name in names[item.id]:
            check_name(name, f"{path}: images[{place}]")
        other = first.setdefault(names[item.id][0], item)
        if other is item:
            single.append(item)
            continue
        where = f"{path}: images[{place}] (id {item.id!r}), {quote(names[item.id][0])}"
        same_size = (other.width, other.height) == (item.width, item.height)
        if same_size or not (_has_size(other) and _has_size(item)):
            doubles[item.id] = other.id
            note(drops, "entries of a picture that another has, joined", where)
        else:
            lost[item.id] = other.id
            note(drops, "entries of a picture that another has in another size", where)
    return single, doubles, lost


def _has_size(item: ImageEntry) -> bool:
    return min(item.width, item.height) >= 1 and max(item.width, item.height) <= LARGEST


def _with_own_size(
    item: ImageEntry, file: str | None, folder: Path | None, drops: Counter[str]
) -> ImageEntry | None:
    """With the size that its file has; None where that cannot be known."""
    header = header_or_none(folder / file, drops) if folder and file else None
    if header is None:
        return None
    width, height = header.displayed
    note(drops, "pictures whose size was read from their file", f"{file}")
    return msgspec.structs.replace(item, width=width, height=height)
