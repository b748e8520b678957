"""What a COCO file says, before it is joined.

Boxes are pixels of the pictures as the file declares them. Unknown fields are ignored; a
segmentation is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.drops import note
from locvlm.errors import InputError
from locvlm.io.reading import Id, name_of, quote

BOXLESS, UNCATEGORIZED = "locvlm: boxless", "locvlm: uncategorized"  # keys that no file has
WHAT = "a COCO detection file (instances_*.json)"


class LicenseEntry(msgspec.Struct, gc=False):
    """A license of a COCO file."""

    id: Id
    name: str = ""


class ImageEntry(msgspec.Struct, gc=False, kw_only=True):
    """A picture of a COCO file."""

    id: Id
    file_name: str
    width: int  # pixels
    height: int
    license: Id | None = None
    flickr_url: str | None = None
    coco_url: str | None = None


class CategoryEntry(msgspec.Struct, gc=False):
    """A category of a COCO file."""

    id: Id
    name: str
    supercategory: Any = None


class AnnotationEntry(msgspec.Struct, gc=False):
    """A box of a COCO file."""

    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float]  # x, y, width, height; pixels
    id: Id | None = None
    iscrowd: bool | int = 0
    description: Any = None  # a phrase for this very object, or several, as pseudo-data have


class DetectionFile(msgspec.Struct, kw_only=True):
    """A whole COCO file."""

    images: Sequence[ImageEntry]
    annotations: Sequence[AnnotationEntry]
    categories: Sequence[CategoryEntry]
    licenses: Sequence[LicenseEntry] = ()
    info: Any = None
    # Of annotations that could not be used: image and category, or the image alone. No file's own.
    boxless: Sequence[tuple[Id, Id]] = msgspec.field(name=BOXLESS, default=())
    uncategorized: Sequence[Id] = msgspec.field(name=UNCATEGORIZED, default=())

    @property
    def pseudo(self) -> dict[str, Any]:
        """How the file was made, where no person made it (see `locvlm.pseudo`)."""
        pseudo = self.info.get("pseudo") if isinstance(self.info, dict) else None
        return pseudo if isinstance(pseudo, dict) else {}


def category_names(path: Path, categories: Sequence[CategoryEntry]) -> dict[Id, str]:
    """The category's name by its id. Raises InputError where one has no name, or two."""
    places: dict[Id, int] = {}
    names: dict[Id, str] = {}
    for place, item in enumerate(categories):
        where = f"categories[{place}] (id {item.id!r})"
        name = name_of(item.name, f"{path}: categories, id {item.id!r}")
        if not name:
            raise InputError(f"{path}: {where} has no name; give it one")
        if names.setdefault(item.id, name) != name:
            raise InputError(
                f"{path}: categories[{places[item.id]}] and {where} have one id and two names, "
                f"{quote(names[item.id])} and {quote(name)}; give each an id of its own"
            )
        places.setdefault(item.id, place)
    return names


def check_images(
    path: Path, images: Sequence[ImageEntry], drops: Counter[str]
) -> Sequence[ImageEntry]:
    """Each image once: the first of those that say the same, the others counted in `drops`.

    Raises InputError where two of one id say different things.
    """
    if len({item.id for item in images}) == len(images):
        return images
    first: dict[Id, tuple[int, ImageEntry]] = {}
    for place, item in enumerate(images):
        where = f"images[{place}] (id {item.id!r})"
        before, other = first.setdefault(item.id, (place, item))
        if other is item:
            continue
        if _told_by(other) != _told_by(item):
            raise InputError(
                f"{path}: images[{before}] and {where} have one id and say different things, "
                f"{quote(_told_by(other))} and {quote(_told_by(item))}; give each an id of its own"
            )
        note(drops, "images that are there twice, the first taken", f"{path}: {where}")
    return [item for _, item in first.values()]


def _told_by(item: ImageEntry) -> tuple[str, int, int]:
    return item.file_name, item.width, item.height
