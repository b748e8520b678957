"""COCO detection files (``instances_*.json``), with captions (``captions_*.json``) if wanted.

    {"images":      [{"id": 42, "file_name": "42.jpg", "width": 640, "height": 480}],
     "categories":  [{"id": 18, "name": "dog"}],
     "annotations": [{"id": 1, "image_id": 42, "category_id": 18, "bbox": [x, y, width, height]}]}

The files may be packed (``.json.gz``). Formats that add something to this one decode their own
`DetectionFile` and hand it to `build_annotation_set`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.coco_file import (
    WHAT,
    DetectionFile,
    ImageEntry,
    category_names,
    check_entries,
)
from locvlm.annotations.coco_objects import UsableObjects, find_objects
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.io.reading import Id, decode_json, one_line, quote, sayable
from locvlm.media.image_files import check_name, find_images


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _Captions(msgspec.Struct):
    annotations: list[_Caption]


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
    check_entries(path, "images", data.images)
    objects = find_objects(path, data, names, descriptions, drops)
    for key, more in (not_exhaustive or {}).items():
        objects.boxless[key] |= dict.fromkeys(more)
    image_ids = {item.id for item in data.images}
    texts = _read_captions(Path(captions), image_ids, drops) if captions is not None else {}
    licenses = {item.id: item.name for item in data.licenses}
    choices = file_names or {item.id: (item.file_name,) for item in data.images}
    _check_file_names(path, data.images, choices)
    found = find_images(choices, Path(images) if images is not None else None, path, drops)
    bare = [
        AnnotatedImage(
            id=item.id,
            file_name=found[item.id],
            width=item.width,
            height=item.height,
            captions=tuple(texts.get(item.id, ())),
            license=_license(item, licenses),
            url=item.flickr_url or item.coco_url or "",
            absent=None if absent is None else absent[item.id],
            not_exhaustive=tuple(objects.boxless.get(item.id, ())),
        )
        for item in data.images
        if item.id in found
    ]
    return AnnotationSet(
        images=_group_by_image(bare, data.images, objects),
        categories=objects.columns.names,
        source=path,
        drops=+drops,  # without the zeros
        pseudo=data.pseudo,
    )


def _license(item: ImageEntry, names: Mapping[Id, str]) -> str:
    """Its name, else its number; empty where the picture has none."""
    return "" if item.license is None else names.get(item.license) or str(item.license)


def _check_file_names(
    path: Path, images: Sequence[ImageEntry], choices: Mapping[Id, Sequence[str]]
) -> None:
    seen: set[str] = set()
    for place, item in enumerate(images):
        for name in choices[item.id]:
            check_name(name, f"{path}: images[{place}]")
        first = choices[item.id][0]
        if first in seen:
            raise InputError(
                f"{path}: images[{place}] (id {item.id!r}) repeats the file name {quote(first)}; "
                "what one of them has is missing from the other"
            )
        seen.add(first)


def _group_by_image(
    bare: list[AnnotatedImage], images: Sequence[ImageEntry], objects: UsableObjects
) -> ColumnarImages:
    """The images `bare`, some of `images`, with their objects, those of each in file order."""
    row_of = {item.id: row for row, item in enumerate(bare)}
    rows = np.array([row_of.get(item.id, len(bare)) for item in images], np.int64)
    rows = rows[objects.image_index]
    order = np.argsort(rows, kind="stable")  # those of images that are not there come last
    starts = np.searchsorted(rows[order], np.arange(len(bare) + 1))
    return ColumnarImages(bare, starts, objects.columns.take(order[: starts[-1]]))


def _read_captions(path: Path, image_ids: set[Id], drops: Counter[str]) -> dict[Id, list[str]]:
    """The captions of each picture, on one line each."""
    captions: dict[Id, list[str]] = defaultdict(list)
    for item in decode_json(path, _Captions, "a COCO captions file (captions_*.json)").annotations:
        text = one_line(item.caption)
        if item.image_id not in image_ids:
            drops["captions of unknown images"] += 1
        elif not sayable(text):
            drops["captions that are empty or have braces"] += 1
        else:
            captions[item.image_id].append(text)
    return captions
