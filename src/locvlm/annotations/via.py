"""VIA, the VGG Image Annotator (robots.ox.ac.uk/~vgg/software/via): JSON, or CSV of 1 and 2.

    {"7.jpg1234": {"filename": "7.jpg", "size": 1234, "file_attributes": {}, "regions": [
        {"shape_attributes": {"name": "rect", "x": 10, "y": 20, "width": 100, "height": 200},
         "region_attributes": {"class": "dog"}}]}}

    filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes

A saved project has the same below ``_via_img_metadata``; one of version 3 is brought into this form
by `locvlm.annotations.via_projects`. Numbers are pixels of the picture as
displayed, whose size no file tells. The category is the only attribute of the regions, or the one
called class, label, name, type, category or object; of checkboxes each that is set is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    corners_of,
    ellipse_around,
    number_of,
    pixels,
)
from locvlm.annotations.via_projects import Region, is_project, read_project
from locvlm.errors import InputError
from locvlm.io.reading import csv_rows, decode_json, name_of, quote
from locvlm.media.image_files import check_name

KINDS = {  # that a box can tell
    **{"rect": "", "polygon": "polygons", "polyline": "lines"},
    **{"circle": "circles", "ellipse": "ellipses"},
}
USUAL = ("class", "label", "name", "type", "category", "object")
CSV = ("filename", "region_shape_attributes", "region_attributes")
_HALF_TURN = 180 / 3.141592653589793


class _Region(msgspec.Struct):
    shape_attributes: dict[str, Any]
    region_attributes: dict[str, Any] = {}


class _Entry(msgspec.Struct):
    filename: str
    regions: list[_Region] | dict[str, _Region] = []


class _Project(msgspec.Struct):
    entries: dict[str, _Entry] = msgspec.field(name="_via_img_metadata")


def read_via(
    path: str | Path, *, images: str | Path | None = None, boxes: BoxForm | None = None
) -> AnnotationSet:
    """All pictures of a VIA file; those without regions too.

    Categories are those found, and each was looked for in every picture. What is not upright is
    counted in ``drops``, as are points, which have no box; their categories are there all the same.
    Left out and counted: regions without a category, boxes without area or wholly outside, pictures
    that are not in the folder `images`. Boxes that reach out are clipped, kept and counted.

    Args:
        path: the JSON or CSV file.
        images: folder of the pictures; needed, for the file has no sizes.
        boxes: how x, y, width and height are written; None: as they are called, in pixels.

    Raises:
        InputError: the file is malformed, or its categories cannot be told (with the place), or
            the folder holds none of the pictures.
    """
    if images is None:
        raise InputError(
            f"{path}: does not tell the sizes of its pictures; give the folder of the pictures"
        )
    return build_annotation_set("via", _read, path, images, boxes)


def _read(path: Path, _: Path | None, drops: Drops) -> Drawing:
    regions = _read_csv(path) if path.suffix == ".csv" else _read_json(path, drops)
    attribute = _attribute(path, regions)
    drawn = (
        DrawnImage(
            name,
            (check_name(name, str(path)),),
            None,
            f"{path}: {quote(name)}",
            [shape for item in items for shape in _shapes(item, attribute, drops)],
        )
        for name, items in regions.items()
    )
    return Drawing(drawn)


def _read_json(path: Path, drops: Drops) -> dict[str, list[Region]]:
    tree = decode_json(path, dict[str, msgspec.Raw], "a JSON file of VIA")
    if "_via_img_metadata" in tree:
        entries = decode_json(path, _Project, "a project of VIA").entries
    elif is_project(tree.keys()):
        return read_project(path, drops)
    else:
        entries = decode_json(path, dict[str, _Entry], "a JSON file of VIA")
    found: dict[str, list[Region]] = {}
    for key, entry in entries.items():
        items = entry.regions.values() if isinstance(entry.regions, dict) else entry.regions
        found.setdefault(entry.filename, []).extend(
            (item.shape_attributes, item.region_attributes, f"{path}: {quote(key)}, region {place}")
            for place, item in enumerate(items)
        )
    return found


def _read_csv(path: Path) -> dict[str, list[Region]]:
    first = next(iter(csv_rows(path, ())), ("", {}))[1]
    sharp = "#filename" in first  # as version 1 writes it
    needs = ("#filename", *CSV[1:]) if sharp else CSV
    found: dict[str, list[Region]] = {}
    for where, row in csv_rows(path, needs):
        items = found.setdefault(row[needs[0]], [])
        try:
            shape = msgspec.json.decode(row[CSV[1]] or "{}", type=dict[str, Any])
            attributes = msgspec.json.decode(row[CSV[2]] or "{}", type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise InputError(f"{where}: a region that is no JSON ({error})") from None
        if shape:
            items.append((shape, attributes, where))
    return found


def _attribute(path: Path, regions: dict[str, list[Region]]) -> str:
    """The name of the attribute that tells the category."""
    keys = dict.fromkeys(
        key for items in regions.values() for _, found, _ in items for key in found
    )
    if len(keys) <= 1:
        return next(iter(keys), "")
    usual = [key for word in USUAL for key in keys if key.lower() == word]
    if not usual:
        raise InputError(
            f"{path}: which attribute of the regions is the category cannot be told: "
            f"{quote(', '.join(keys))}; call it class"
        )
    return usual[0]


def _shapes(region: Region, attribute: str, drops: Drops) -> Iterator[Shape]:
    """One for each category of a region."""
    shape, attributes, where = region
    value = attributes.get(attribute)
    names = [key for key, on in value.items() if on] if isinstance(value, dict) else [value]
    names = [name_of(str(name), where) for name in names if name not in (None, "", "undefined")]
    if not names:
        note(drops, "regions without a category", where)
    kind = shape.get("name")
    for name in filter(None, names):
        if kind == "point":
            yield Shape(name, "points", None, where)
        elif kind in KINDS:
            points = _points(shape, where)
            yield Shape(name, KINDS[kind], pixels(points), where)
        else:
            raise InputError(f"{where}: a shape of an unknown kind {quote(kind)}")


def _points(shape: dict[str, Any], where: str) -> Points:
    """Around which the box is, pixels."""
    kind = shape["name"]
    if kind == "rect":
        x, y, width, height = (_number(shape, key, where) for key in ("x", "y", "width", "height"))
        return corners_of(x, y, x + width, y + height)
    if kind == "circle":
        cx, cy, r = (_number(shape, key, where) for key in ("cx", "cy", "r"))
        return ellipse_around(cx, cy, r, r)
    if kind == "ellipse":
        cx, cy, rx, ry = (_number(shape, key, where) for key in ("cx", "cy", "rx", "ry"))
        theta = _number(shape, "theta", where) if "theta" in shape else 0.0
        return ellipse_around(cx, cy, rx, ry, theta * _HALF_TURN)
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise InputError(f"{where}: has not as many all_points_x as all_points_y")
    return [(number_of(x, where), number_of(y, where)) for x, y in zip(xs, ys, strict=True)]


def _number(shape: dict[str, Any], key: str, where: str) -> float:
    return number_of(shape.get(key), f"{where}, {key}")
