"""LabelMe: one JSON file per picture (github.com/wkentaro/labelme, labelme/_label_file.py).

    {"version": "5.5.0", "imagePath": "../photos/7.jpg", "imageWidth": 640, "imageHeight": 480,
     "shapes": [{"label": "dog", "shape_type": "rectangle", "group_id": null,
                 "points": [[10.0, 20.0], [110.0, 220.0]]}]}

Numbers are pixels of the picture as displayed. The two corners of a rectangle come in any order; a
circle has its middle and a point on its edge. Shapes with the same label and ``group_id`` are parts
of one thing, as in LabelMe's own scripts (examples/instance_segmentation/labelme2coco.py). The
pixels inside the file (``imageData``) are not read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import msgspec

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.drops import Drops, note
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.shapes import (
    Drawing,
    DrawnImage,
    Points,
    Shape,
    build_annotation_set,
    pixels,
)
from locvlm.errors import InputError
from locvlm.io.reading import decode_json, files_below, is_folder, name_of, quote
from locvlm.media.image_files import check_name, check_size

KINDS = {  # that a box can tell
    **{"rectangle": "", "polygon": "polygons", "circle": "circles", "line": "lines"},
    **{"linestrip": "lines", "mask": "masks", "rotation": "rotated boxes"},
    "oriented_rectangle": "rotated boxes",
}
BOXLESS = {"point": "points", "points": "points"}


class _Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"
    group_id: int | str | None = None


class _File(msgspec.Struct):
    shapes: list[_Shape]
    imagePath: str | None = None
    imageWidth: int | None = None
    imageHeight: int | None = None


def read_labelme(
    path: str | Path, *, images: str | Path | None = None, boxes: BoxForm | None = None
) -> AnnotationSet:
    """All pictures of LabelMe's files; those without shapes too.

    Categories are those found, and each was looked for in every picture. What is not upright is
    counted in ``drops``, as are points, which have no box; their categories are there all the same.
    Left out and counted: JSON files of another kind, boxes without area or wholly outside, pictures
    that are not in the folder `images`. Boxes that reach out are clipped, kept and counted.

    Args:
        path: a JSON file, or a folder with such files, also in folders below it.
        images: folder of the pictures; None: do not look whether they are there.
        boxes: how points are written; None: x and y in pixels.

    Raises:
        InputError: there are no such files, one is malformed, or the folder holds none of the
            pictures.
    """
    data = build_annotation_set("labelme", _read, path, images, boxes)
    if not data.images and not any("missing" in reason for reason in data.drops):
        raise InputError(f"{path}: has no JSON files of LabelMe, with shapes and imagePath")
    return data


def _read(path: Path, folder: Path | None, drops: Drops) -> Drawing:
    return Drawing(_images(path, folder, drops))


def _images(path: Path, folder: Path | None, drops: Counter[str]) -> Iterator[DrawnImage]:
    files = [path]
    if is_folder(path):
        files = [file for file in files_below(path) if file.suffix == ".json"]
    for file in files:
        if is_folder(path) and not _is_labelme(file):
            note(drops, "JSON files that are not LabelMe's", str(file))
            continue
        tree = decode_json(file, _File, "a file of LabelMe, with shapes and imagePath")
        size = None
        if tree.imageWidth or tree.imageHeight:
            size = check_size(tree.imageWidth or 0, tree.imageHeight or 0, str(file))
        key = file.relative_to(path).with_suffix("").as_posix() if is_folder(path) else file.stem
        names = _file_names(file, tree.imagePath, folder)
        yield DrawnImage(key, names, size, str(file), _shapes(file, tree.shapes, drops))


def _is_labelme(file: Path) -> bool:
    """Whether a file of a folder is one of LabelMe, and not a list of classes or settings."""
    try:
        tree = decode_json(file, dict[str, msgspec.Raw], "an object")
    except InputError as error:
        if "complete JSON" in str(error):
            raise
        return False
    return "shapes" in tree


def _file_names(file: Path, declared: str | None, images: Path | None) -> tuple[str, ...]:
    """``imagePath`` is relative to the file; then its last part alone, then the file's own name."""
    path = (declared or f"{file.stem}.jpg").replace("\\", "/")
    last = PurePosixPath(path).name
    names = [f"{file.stem}{PurePosixPath(last).suffix or '.jpg'}"]
    if last not in ("", ".."):
        names.insert(0, last)
    if images is not None and path[0] != "/":
        place = Path(_joined(file.parent.absolute(), path))
        base = images.absolute()
        if place.is_relative_to(base) and place != base:
            names.insert(0, place.relative_to(base).as_posix())
    if path[0] == "/" or path[1:2] == ":":
        names.insert(0, path)
    return tuple(check_name(name, f"{file}: imagePath") for name in dict.fromkeys(names))


def _joined(folder: Path, path: str) -> Path:
    for part in path.split("/"):
        folder = folder.parent if part == ".." else folder / part
    return folder


def _shapes(file: Path, shapes: list[_Shape], drops: Counter[str]) -> list[Shape]:
    found: list[Shape] = []
    groups: dict[tuple[str, int | str], list[tuple[float, float]]] = {}
    for place, item in enumerate(shapes):
        where = f"{file}: shape {place}"
        label, kind = name_of(item.label, where), item.shape_type or "polygon"
        if not label:
            raise InputError(f"{where}: has no label; give its category")
        if kind in BOXLESS:
            found.append(Shape(label, BOXLESS[kind], None, where))
            continue
        if kind not in KINDS:
            raise InputError(
                f"{where}: a shape of an unknown kind {quote(kind)}; known: {', '.join(KINDS)}"
            )
        points = _points(item, kind, where)
        if item.group_id is not None:
            parts = groups.setdefault((label, item.group_id), [])
            joined = bool(parts)
            parts.extend(points)
            if joined:
                note(drops, "shapes joined to one thing by their group_id", where)
                continue
            points = parts
        found.append(Shape(label, KINDS[kind], pixels(points), where, place))
    return found


def _points(item: _Shape, kind: str, where: str) -> Points:
    if kind != "circle":
        return item.points
    if len(item.points) != 2:
        raise InputError(f"{where}: a circle has {len(item.points)} points; it needs 2")
    (cx, cy), edge = item.points
    radius = math.dist((cx, cy), edge)
    return [(cx - radius, cy - radius), (cx + radius, cy + radius)]
