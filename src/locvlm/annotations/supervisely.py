"""Supervisely: a JSON file per image (developer.supervisely.com, Supervisely annotation format).

    meta.json                {"classes": [{"title": "dog", "shape": "rectangle"}]}
    ds0/img/7.jpg            ds0/ann/7.jpg.json:
    {"tags": [{"name": "train"}], "size": {"width": 640, "height": 480}, "objects": [
        {"classTitle": "dog", "geometryType": "rectangle",
         "points": {"exterior": [[10, 20], [109, 219]], "interior": []}}]}

The split of an image is told by its tag train, val or test, else by the name of its data set.
Numbers are pixels of the image as displayed, counted from 0. Both corners of a rectangle belong to
it (supervisely/geometry/rectangle.py: ``from_size``). A bitmap is a small PNG, packed by zlib and
base64, at its ``origin``.
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.shapes import (
    Drawing,
    DrawnImage,
    Points,
    Shape,
    build_annotation_set,
    corners_of,
    pixels,
)
from locvlm.annotations.split_parts import USUAL, split_in_name
from locvlm.annotations.splits import canonical_split
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import decode_json, files_below, is_file, is_folder, name_of
from locvlm.media.image_files import check_name, check_size

META = "meta.json"
KINDS = {  # that a box can tell
    **{"rectangle": "", "polygon": "polygons", "line": "lines", "polyline": "lines"},
    "bitmap": "masks",
}
BOXLESS = {"point": "points", "graph": "skeletons"}
_HEADER = 24  # bytes of a PNG, the last 8 of which are its width and height


class _Title(msgspec.Struct):
    title: str


class _Meta(msgspec.Struct):
    classes: list[_Title] = []


class _Outline(msgspec.Struct):
    exterior: list[tuple[float, float]] = []


class _Bitmap(msgspec.Struct):
    data: str
    origin: tuple[int, int]


class _Object(msgspec.Struct):
    classTitle: str
    geometryType: str = ""
    points: _Outline | Any = None
    bitmap: _Bitmap | None = None
    id: int | str = 0


class _Size(msgspec.Struct):
    width: int
    height: int


class _File(msgspec.Struct):
    size: _Size
    objects: list[_Object] = []
    tags: Any = None  # of the image


def read_supervisely(
    path: str | Path,
    *,
    images: str | Path | None = None,
    boxes: BoxForm | None = None,
    split: str | None = None,
) -> AnnotationSet:
    """The images of a project, or of one of its data sets or splits; without objects too.

    Categories are the classes of meta.json and those found; each was looked for in every image.
    What is not upright is counted in ``drops``, as are points and skeletons, which have no box;
    their categories are there all the same. Left out and counted: boxes without area or wholly
    outside, images that are not in the folder `images`. Boxes that reach out are clipped, kept and
    counted.

    Args:
        path: folder of the project or of a data set, or the folder ``ann`` with its files.
        images: folder of the images, or that of the project; None: do not look for them.
        boxes: how the corners are written; None: pixels from 0, both ends counted. As ``xyxy`` they
            are edges.
        split: such as val, or all of them; None: train, or the only one.

    Raises:
        InputError: there are no such files, there is no such split, one is malformed, or the folder
            holds none of the images.
    """
    form = boxes

    def read(path: Path, _: Path | None, __: Drops) -> Drawing:
        return Drawing(_images(path, inclusive=form is None), _categories(path))

    return build_annotation_set("supervisely", read, path, images, boxes, split)


def _categories(path: Path) -> Iterator[str]:
    """Those of the nearest meta.json, of the project that `path` is or belongs to."""
    found = [folder / META for folder in (path, *path.absolute().parents[:2])]
    file = next(filter(is_file, found), None)
    if file:
        for item in decode_json(file, _Meta, "the meta.json of Supervisely").classes:
            yield name_of(item.title, f"{file}: classes")


def _images(path: Path, *, inclusive: bool) -> Iterator[DrawnImage]:
    files = [path]
    if is_folder(path):
        files = [file for file in files_below(path) if _is_of_image(file, path)]
    if not files:
        raise InputError(
            f"{path}: has no ann/*.json of Supervisely; give the folder that holds ann, or the one "
            "above it"
        )
    for file in files:
        tree = decode_json(file, _File, "a file of Supervisely, with size and objects")
        name = check_name(file.name.removesuffix(".json"), str(file))
        above = file.parent.parent
        below = above.relative_to(path).as_posix() if above.is_relative_to(path) else above.name
        own = f"{above.absolute().name}/img/"
        folders = dict.fromkeys((f"{below}/img/", f"{below}/", "img/", "", own))
        names = tuple(f"{folder}{name}".removeprefix("./") for folder in folders)
        size = check_size(tree.size.width, tree.size.height, f"{file}: size")
        shapes = [
            _shape(item, place, f"{file}: object {place}", inclusive=inclusive)
            for place, item in enumerate(tree.objects)
        ]
        key = names[0].replace("/img/", "/").removeprefix("img/")
        split = _split_of(tree.tags, below if below != "." else above.absolute().name)
        yield DrawnImage(key, names, size, str(file), shapes, split)


def _split_of(tags: Any, data_set: str) -> str:
    """By the one tag of the image that means a split, else by its data set ("train", "ds_val")."""
    named = (
        [tag.get("name") for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    )
    tagged = [name for name in named if isinstance(name, str) and canonical_split(name) in USUAL]
    if len(tagged) == 1:
        return tagged.pop()
    return next(filter(None, map(split_in_name, reversed(data_set.split("/")))), "")


def _is_of_image(file: Path, path: Path) -> bool:
    return file.suffix == ".json" and "ann" in (file.parent.name, path.name)


def _shape(item: _Object, place: int, where: str, *, inclusive: bool) -> Shape:
    label = name_of(item.classTitle, where)
    kind = item.geometryType or ("bitmap" if item.bitmap else "polygon")
    if not label:
        raise InputError(f"{where}: has no classTitle; give its category")
    if kind == "bitmap" and item.bitmap is not None:
        return Shape(label, KINDS[kind], pixels(_corners(item.bitmap, where)), where, place)
    if kind not in KINDS or kind == "bitmap":
        return Shape(label, BOXLESS.get(kind, f"shapes of the kind {kind}"), None, where, place)
    try:
        points = msgspec.convert(item.points, _Outline).exterior
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: its points are not exterior: [[x, y], …] ({error})") from None
    if kind == "rectangle" and inclusive:
        return Shape(label, "", partial(_with_last_pixels, points), where, place)
    return Shape(label, KINDS[kind], pixels(points), where, place)


def _with_last_pixels(points: Points, size: Size) -> Points:
    """The last row and column belong to a rectangle; nothing is beyond the image for that."""
    if not points:
        return points
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x, y = max(xs), max(ys)
    last = (min(x + 1, max(x, size[0])), min(y + 1, max(y, size[1])))
    return [(min(xs), min(ys)), last]


def _corners(bitmap: _Bitmap, where: str) -> Points:
    """Of the box around a bitmap; its size is all that is unpacked."""
    try:
        packed = binascii.a2b_base64(bitmap.data)
        header = zlib.decompressobj().decompress(packed, _HEADER)
    except (binascii.Error, zlib.error, ValueError):
        header = b""
    if len(header) < _HEADER or header[12:16] != b"IHDR":
        raise InputError(f"{where}: its bitmap is no PNG packed by zlib and base64")
    width, height = (int.from_bytes(header[start : start + 4], "big") for start in (16, 20))
    x, y = bitmap.origin
    return corners_of(x, y, x + width, y + height)
