"""COCO detection files (``instances_*.json``), with captions (``captions_*.json``) if wanted.

    {"images":      [{"id": 42, "file_name": "42.jpg", "width": 640, "height": 480}],
     "categories":  [{"id": 18, "name": "dog"}],
     "annotations": [{"id": 1, "image_id": 42, "category_id": 18, "bbox": [x, y, width, height]}]}

Boxes are pixels of the pictures as the file declares them. Unknown fields are ignored; a
segmentation is not needed. The files may be packed (``.json.gz``). Formats that add something to
this one decode their own `Detections` and hand them to `assemble`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.boxes import clip_boxes
from locvlm.annotations.columns import ColumnarImages, ObjectColumns
from locvlm.errors import InputError
from locvlm.io.reading import Id, decode_json, name_of, one_line, quote, sayable
from locvlm.media.image_files import check_size, find_images, safe_name

WHAT = "a COCO detection file (instances_*.json)"


class _License(msgspec.Struct, gc=False):
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
    licenses: Sequence[_License] = ()
    info: Any = None

    @property
    def pseudo(self) -> dict[str, Any]:
        """How the file was made, where no person made it (see `locvlm.pseudo`)."""
        said = self.info.get("pseudo") if isinstance(self.info, dict) else None
        return said if isinstance(said, dict) else {}


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _Captions(msgspec.Struct):
    annotations: list[_Caption]


K = TypeVar("K", ImageEntry, CategoryEntry)


def read_coco(
    path: str | Path, *, images: str | Path | None = None, captions: str | Path | None = None
) -> AnnotationSet:
    """All pictures of a COCO detection file; those without objects too.

    Left out and counted in ``drops``: annotations of unknown pictures, a second annotation with
    the same id, boxes without area or wholly outside, pictures that are not in the folder
    `images`, captions that cannot be used. Boxes that reach out are clipped, kept and counted. A
    category whose box is left out is not absent from its picture (see `AnnotatedImage`).

    Args:
        path: the JSON file, ``.json`` or ``.json.gz``.
        images: folder of the pictures; None: do not look whether they are there.
        captions: COCO captions of the same pictures.

    Raises:
        InputError: a file is missing or malformed, an id is there twice, a category is unknown, a
            picture has no size or a name that leads out of its folder, or the folder holds none of
            the pictures.
    """
    path = Path(path)
    return build_annotation_set(
        path, decode_json(path, DetectionFile, WHAT), images=images, captions=captions
    )


def build_annotation_set(
    path: Path,
    data: DetectionFile,
    *,
    images: str | Path | None,
    captions: str | Path | None = None,
    file_names: Mapping[Id, Sequence[str]] | None = None,
    absent: Mapping[Id, tuple[str, ...]] | None = None,
    not_exhaustive: Mapping[Id, tuple[str, ...]] | None = None,
    descriptions: Mapping[Id, Sequence[str]] | None = None,
    drops: Counter[str] | None = None,
) -> AnnotationSet:
    """`data` checked and joined, as `read_coco` says.

    Args:
        path: the file that `data` comes from.
        data: what it says.
        images: see `read_coco`, as is `captions`.
        captions: COCO captions of the same pictures.
        file_names: the names that a picture's file may have, by the picture's id; None: the one
            that `data` has.
        absent: categories surely not in a picture, by the picture's id; None: all that the file
            has were looked for everywhere.
        not_exhaustive: categories that may have more instances than boxes, likewise; None: none.
        descriptions: phrases that mean an object, by the annotation's id; None: the annotations'
            own.
        drops: what was left out before; added to.
    """
    drops = Counter() if drops is None else drops
    names = category_names(path, data.categories)
    if descriptions is None:
        descriptions = _descriptions(data.annotations)
    sizes = {image.id: image for image in _unique(path, "images", data.images)}
    categories = tuple(dict.fromkeys(names.values()))
    boxless: dict[Id, dict[str, None]] = defaultdict(dict)
    objects, owners = _objects(path, data, names, categories, descriptions, boxless, drops)
    for number, more in (not_exhaustive or {}).items():
        boxless[number] |= dict.fromkeys(more)
    said = _captions(Path(captions), sizes, drops) if captions is not None else {}
    licenses = {item.id: item.name for item in data.licenses}
    choices = file_names or {item.id: (item.file_name,) for item in data.images}
    _check_names(path, data.images, choices)
    kept = find_images(choices, Path(images) if images is not None else None, path, drops)
    bare = [
        AnnotatedImage(
            id=item.id,
            file_name=kept[item.id],
            width=item.width,
            height=item.height,
            captions=tuple(said.get(item.id, ())),
            license=_license(item, licenses),
            url=item.flickr_url or item.coco_url or "",
            absent=None if absent is None else absent[item.id],
            not_exhaustive=tuple(boxless.get(item.id, ())),
        )
        for item in data.images
        if item.id in kept
    ]
    there = np.array([item.id in kept for item in data.images], np.bool_)
    rows = np.where(there, np.cumsum(there) - 1, len(bare))
    return AnnotationSet(
        images=_by_picture(bare, rows[owners], objects),
        categories=categories,
        source=path,
        drops=+drops,  # without the zeros
        pseudo=data.pseudo,
    )


def _descriptions(annotations: Sequence[AnnotationEntry]) -> dict[Id, tuple[str, ...]]:
    """By the annotation's id."""
    found: dict[Id, tuple[str, ...]] = {}
    if not any(map(attrgetter("description"), annotations)):
        return found  # as nearly all files are
    for item in annotations:
        if item.id is not None and item.description:
            said = [item.description] if isinstance(item.description, str) else item.description
            if isinstance(said, list):  # whatever else it is, it is not meant for us
                found[item.id] = tuple(one_line(text) for text in said if isinstance(text, str))
    return found


def _license(item: ImageEntry, names: Mapping[Id, str]) -> str:
    """Its name, else its number; empty where the picture has none."""
    return "" if item.license is None else names.get(item.license) or str(item.license)


def _check_names(
    path: Path, images: Sequence[ImageEntry], choices: Mapping[Id, Sequence[str]]
) -> None:
    seen: set[str] = set()
    for place, item in enumerate(images):
        for name in choices[item.id]:
            safe_name(name, f"{path}: images[{place}]")
        first = choices[item.id][0]
        if first in seen:
            raise InputError(
                f"{path}: images[{place}] (id {item.id!r}) repeats the file name {quote(first)}; "
                "what one of them has is missing from the other"
            )
        seen.add(first)


def category_names(path: Path, categories: Sequence[CategoryEntry]) -> dict[Id, str]:
    """The category's name by its id. Raises InputError where one is empty or an id is repeated."""
    names = {
        item.id: name_of(item.name, f"{path}: categories, id {item.id!r}")
        for item in _unique(path, "categories", categories)
    }
    for place, (number, name) in enumerate(names.items()):
        if not name:
            raise InputError(
                f"{path}: categories[{place}] (id {number!r}) has no name; give it one"
            )
    return names


def _unique(path: Path, field: str, items: Sequence[K]) -> Iterable[K]:
    """The items, checked: no id twice; pictures have a size."""
    seen: set[Id] = set()
    for place, item in enumerate(items):
        if item.id in seen:
            raise InputError(f"{path}: {field}[{place}] repeats the id {item.id!r}; ids are unique")
        if isinstance(item, ImageEntry):
            check_size(item.width, item.height, f"{path}: {field}[{place}] (id {item.id!r})")
        seen.add(item.id)
    return items


def _objects(
    path: Path,
    data: DetectionFile,
    names: Mapping[Id, str],
    categories: tuple[str, ...],
    descriptions: Mapping[Id, Sequence[str]],
    boxless: dict[Id, dict[str, None]],
    drops: Counter[str],
) -> tuple[ObjectColumns, NDArray[np.int64]]:
    """The usable objects in file order, and the place in `data.images` of the picture of each.

    The categories of the others are added to `boxless`, by picture.
    """
    place_of = {name: place for place, name in enumerate(categories)}
    index = {number: place_of[name] for number, name in names.items()}
    kinds = _look_up(data.annotations, "category_id", index)
    for place in np.flatnonzero(kinds < 0)[:1].tolist():
        item = data.annotations[place]
        raise InputError(
            f"{path}: annotations[{place}] (id {item.id!r}) has the category "
            f"{item.category_id!r}, which is not among the file's categories"
        )
    row_of = {image.id: row for row, image in enumerate(data.images)}
    owners = _look_up(data.annotations, "image_id", row_of)
    ids = list(map(attrgetter("id"), data.annotations))
    known, repeated = owners >= 0, _find_repeated(ids)
    drops["annotations of unknown images"] += int((~known).sum())
    drops["annotations with a repeated id"] += int((known & repeated).sum())
    usable = np.flatnonzero(known & ~repeated)
    sizes = np.array([(image.width, image.height) for image in data.images]).reshape(-1, 2)
    boxes, inside = clip_boxes(
        _corners(data.annotations)[usable],
        sizes[owners[usable]],
        drops,
        lambda row: f"{path}: annotations[{usable[row]}].bbox as x1, y1, x2, y2",
    )
    for place in chain(np.flatnonzero(known & repeated).tolist(), usable[~inside].tolist()):
        item = data.annotations[place]
        boxless[item.image_id][names[item.category_id]] = None
    kept = usable[inside]
    kept_ids = [ids[place] or 0 for place in kept.tolist()]
    crowds = map(bool, map(attrgetter("iscrowd"), data.annotations))
    objects = ObjectColumns(
        boxes=boxes[inside],
        categories=kinds[kept].astype(np.int32),
        crowds=np.fromiter(crowds, np.bool_, len(ids))[kept],
        ids=kept_ids,
        names=categories,
        descriptions=[tuple(descriptions.get(number, ())) for number in kept_ids]
        if descriptions
        else None,
    )
    return objects, owners[kept]


def _look_up(
    annotations: Sequence[AnnotationEntry], name: str, places: Mapping[Id, int]
) -> NDArray[np.int64]:
    """(M,): the place of what a field of each names; -1 where it has none."""
    found = map(places.get, map(attrgetter(name), annotations), repeat(-1))
    return np.fromiter(found, np.int64, len(annotations))


def _corners(annotations: Sequence[AnnotationEntry]) -> NDArray[np.float64]:
    """(M, 4) xyxy, pixels."""
    numbers = chain.from_iterable(map(attrgetter("bbox"), annotations))
    xywh = np.fromiter(numbers, np.float64, 4 * len(annotations)).reshape(-1, 4)
    with np.errstate(over="ignore"):  # what is no number is told later
        return np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])


def _find_repeated(ids: Sequence[Id | None]) -> NDArray[np.bool_]:
    """(M,): whether an id was there before; None is no id."""
    marks = np.zeros(len(ids), np.bool_)
    if len(set(ids)) < len(ids):
        seen = set[Id | None]()
        for place, number in enumerate(ids):
            marks[place] = number is not None and number in seen
            seen.add(number)
    return marks


def _by_picture(
    bare: list[AnnotatedImage], rows: NDArray[np.int64], objects: ObjectColumns
) -> ColumnarImages:
    """The pictures with their objects, those of each in file order.

    Args:
        bare: the pictures.
        rows: (M,) the picture of each object; beyond the last one where it is not there.
        objects: M, in file order.
    """
    order = np.argsort(rows, kind="stable")  # those of pictures that are not there come last
    starts = np.searchsorted(rows[order], np.arange(len(bare) + 1))
    return ColumnarImages(bare, starts, objects.take(order[: starts[-1]]))


def _captions(
    path: Path, sizes: Mapping[Id, ImageEntry], drops: Counter[str]
) -> dict[Id, list[str]]:
    """The captions of each picture, on one line each."""
    captions: dict[Id, list[str]] = defaultdict(list)
    for item in decode_json(path, _Captions, "a COCO captions file (captions_*.json)").annotations:
        text = one_line(item.caption)
        if item.image_id not in sizes:
            drops["captions of unknown images"] += 1
        elif not sayable(text):
            drops["captions that are empty or have braces"] += 1
        else:
            captions[item.image_id].append(text)
    return captions
