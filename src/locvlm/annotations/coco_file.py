"""What a COCO file says, before it is joined.

Boxes are pixels of the pictures as the file declares them. Unknown fields are ignored; a
segmentation is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from locvlm.errors import InputError
from locvlm.io.reading import Id, name_of

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


K = TypeVar("K", ImageEntry, CategoryEntry)


def category_names(path: Path, categories: Sequence[CategoryEntry]) -> dict[Id, str]:
    """The category's name by its id. Raises InputError where one is empty or an id is repeated."""
    names = {
        item.id: name_of(item.name, f"{path}: categories, id {item.id!r}")
        for item in check_entries(path, "categories", categories)
    }
    for place, (number, name) in enumerate(names.items()):
        if not name:
            raise InputError(
                f"{path}: categories[{place}] (id {number!r}) has no name; give it one"
            )
    return names


def check_entries(path: Path, field: str, items: Sequence[K]) -> Sequence[K]:
    """The items. Raises InputError where an id is there twice."""
    seen: set[Id] = set()
    for place, item in enumerate(items):
        if item.id in seen:
            raise InputError(f"{path}: {field}[{place}] repeats the id {item.id!r}; ids are unique")
        seen.add(item.id)
    return items
