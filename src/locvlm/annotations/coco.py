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
    check_images,
)
from locvlm.annotations.coco_images import find_usable_images
from locvlm.annotations.coco_loose import decode_detections
from locvlm.annotations.coco_objects import UsableObjects, find_objects
from locvlm.annotations.coco_orientation import set_upright
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.io.reading import Id, decode_json, one_line, sayable


class _Caption(msgspec.Struct, gc=False):
    image_id: Id
    caption: str


class _Captions(msgspec.Struct):
    annotations: list[_Caption]


def read_coco(
    path: str | Path,
    *,
    images: str | Path | None = None,
    captions: str | Path | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """All pictures of a COCO detection file; those without objects too.

    Left out and counted in ``drops``: annotations of unknown pictures or categories, a second one
    of the same id and box, boxes without area or wholly outside, pictures that are not in the
    folder `images`, captions and entries that cannot be used. Boxes that reach out are clipped,
    kept and counted; a missing box is made of the segmentation, a missing size read from the
    picture. What is left out is not absent from its picture (see `AnnotatedImage`).

    Args:
        path: the JSON file, ``.json`` or ``.json.gz``.
        images: folder of the pictures; None: do not look whether they are there.
        captions: COCO captions of the same pictures.
        boxes: how the boxes are written; None: x, y, width, height in pixels.

    Raises:
        InputError: the file is missing, no complete JSON, or nothing of it can be used; two
            pictures or categories have one id, a name leads out of its folder, or the folder holds
            none of the pictures.
    """
    path = Path(path)
    drops = Drops()
    data = decode_detections(path, DetectionFile, WHAT, drops)
    return build_annotation_set(
        path, data, images=images, captions=captions, boxes=boxes, drops=drops
    )


def build_annotation_set(
    path: Path,
    data: DetectionFile,
    *,
    images: str | Path | None,
    captions: str | Path | None = None,
    boxes: BoxForm | None = None,
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
        images: see `read_coco`, as are `captions` and `boxes`.
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
    drops = Drops() if drops is None else drops
    names = category_names(path, data.categories)
    data.images = check_images(path, data.images, drops)
    choices = file_names or {item.id: (item.file_name,) for item in data.images}
    folder = Path(images) if images is not None else None
    usable = find_usable_images(path, data.images, choices, folder, drops)
    if folder is not None:
        set_upright(usable, data.annotations, folder, boxes, drops)
    objects = find_objects(
        path,
        data,
        names,
        usable,
        lambda: usable.row_by_name(choices),
        descriptions=descriptions,
        form=boxes,
        drops=drops,
    )
    for key, more in (not_exhaustive or {}).items():
        if key in usable.rows:
            objects.boxless[usable.entries[usable.rows[key]].id] |= dict.fromkeys(more)
    image_ids = {item.id for item in data.images}
    texts = _read_captions(Path(captions), image_ids, drops) if captions is not None else {}
    licenses = {item.id: item.name for item in data.licenses}
    found = usable.files
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
        for item in usable.entries
        if item.id in found
    ]
    unboxed, dummies = _find_unboxed(data, names, objects)
    return AnnotationSet(
        images=_group_by_image(bare, usable.entries, objects),
        categories=objects.columns.names,
        source=path,
        drops=+drops,  # without the zeros
        pseudo=data.pseudo,
        unboxed=unboxed,
        dummies=dummies,
        category_ids={str(number): name for number, name in names.items()},
    )


def _find_unboxed(
    data: DetectionFile, names: Mapping[Id, str], objects: UsableObjects
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The categories without a box in the file, and those of them that stand above others.

    A category whose boxes lie in pictures that are not here was looked for.
    """
    seen = {objects.columns.names[number] for number in set(objects.columns.categories.tolist())}
    unboxed = tuple(name for name in objects.columns.names if name not in seen)
    above = {
        item.supercategory for item in data.categories if item.supercategory != names.get(item.id)
    }
    return unboxed, tuple(name for name in unboxed if name in above)


def _license(item: ImageEntry, names: Mapping[Id, str]) -> str:
    """Its name, else its number; empty where the picture has none."""
    return "" if item.license is None else names.get(item.license) or str(item.license)


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
