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
from locvlm.media.image_files import check_size

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
    """The items. Raises InputError where an id is there twice or a picture has no size."""
    seen: set[Id] = set()
    for place, item in enumerate(items):
        if item.id in seen:
            raise InputError(f"{path}: {field}[{place}] repeats the id {item.id!r}; ids are unique")
        if isinstance(item, ImageEntry):
            check_size(item.width, item.height, f"{path}: {field}[{place}] (id {item.id!r})")
        seen.add(item.id)
    return items
