"""CVAT for images: one XML file for all pictures (docs.cvat.ai/docs/other/xml_format, version 1.1).

    <annotations><version>1.1</version>
      <meta><task><labels><label><name>dog</name></label></labels></task></meta>
      <image id="0" name="7.jpg" width="640" height="480">
        <box label="dog" xtl="10.0" ytl="20.0" xbr="110.0" ybr="220.0" rotation="30.0"/>
        <polygon label="dog" points="10.0,20.0;110.0,20.0;60.0,220.0"/>
      </image></annotations>

An export of a project has ``subset="Train"`` at each picture, and its file in ``images/Train``.
Numbers are pixels of the picture as displayed. A box is turned clockwise by ``rotation`` degrees
about its middle. Of a ``mask`` the box is its left, top, width and height.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

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
    ellipse_around,
    pixels,
    turn,
)
from locvlm.errors import InputError
from locvlm.io.reading import is_folder, name_of, one_line, parse_integer, parse_number, quote
from locvlm.io.xml_files import read_xml
from locvlm.media.image_files import check_name, check_size

FILE = "annotations.xml"
DEFAULT = "default"  # the subset of what was put into none
KINDS = {  # that a box can tell
    **{"box": "", "polygon": "polygons", "polyline": "lines", "cuboid": "cuboids"},
    **{"ellipse": "ellipses", "mask": "masks"},
}
BOXLESS = {"points": "points", "skeleton": "skeletons", "tag": "tags of whole pictures"}


def read_cvat(
    path: str | Path,
    *,
    images: str | Path | None = None,
    boxes: BoxForm | None = None,
    split: str | None = None,
) -> AnnotationSet:
    """The pictures of a CVAT file, or of a split of it; those without shapes too.

    Categories are the labels of the file, and each was looked for in every picture. What is not
    upright is counted in ``drops``, as are points, skeletons and tags, which have no box; their
    categories are there all the same. Left out and counted: boxes without area or wholly outside,
    pictures that are not in the folder `images`. Boxes that reach out are clipped, kept, counted.

    Args:
        path: the XML file, or the folder with ``annotations.xml``.
        images: folder of the pictures, or the one with their folder ``images``; None: do not look.
        boxes: how edges are written; None: as edges in pixels.
        split: a subset of a project, such as val, or all of them; None: train, or the only one.

    Raises:
        InputError: the file is malformed, has tracks of a video or no such split, a shape has no
            label or a number is none (with the picture), or the folder holds none of the pictures.
    """
    return build_annotation_set("cvat", _read, path, images, boxes, split)


def _read(path: Path, _: Path | None, __: Drops) -> Drawing:
    file = path / FILE if is_folder(path) else path
    tree = read_xml(file, "annotations")
    if tree.find("track") is not None:
        raise InputError(
            f"{file}: has tracks of a video; export it from CVAT as 'CVAT for images', with the "
            "frames"
        )
    categories = [
        name_of(label.findtext("name") or "", f"{file}: labels")
        for label in tree.iterfind("meta//label")
        if label.find("parent") is None  # the points of a skeleton
    ]
    drawn = (_image(item, file) for item in tree.iterfind("image"))
    return Drawing(drawn, filter(None, categories))


def _image(item: Element, file: Path) -> DrawnImage:
    where = f"{file}: image {quote(item.get('name'))}"
    name = check_name(item.get("name") or "", where)
    subset = item.get("subset")
    below = (f"images/{name}", *([f"images/{subset}/{name}"] if subset else []))
    names = (name, *(check_name(text, where) for text in below if name[0] != "/"))
    width, height = (
        parse_integer(item.get(side), f"{where} {side}") for side in ("width", "height")
    )
    shapes = list(_shapes(item, where))
    key = item.get("id") or name
    split = "" if not subset or subset.lower() == DEFAULT else subset
    return DrawnImage(key, names, check_size(width, height, where), where, shapes, split)


def _shapes(image: Element, where: str) -> Iterator[Shape]:
    for place, item in enumerate(image):
        here = f"{where}, {item.tag} {place}"
        if item.tag not in KINDS and item.tag not in BOXLESS:
            continue
        label = one_line(item.get("label") or "")
        if not label:
            raise InputError(f"{here}: has no label; give its category")
        if item.tag in BOXLESS:
            yield Shape(label, BOXLESS[item.tag], None, here)
            continue
        turned = _number(item, "rotation", here, "0") % 360 != 0
        kind = "rotated boxes" if item.tag == "box" and turned else KINDS[item.tag]
        points = _points(item, here)
        yield Shape(label, kind, pixels(points), here, place, ordered=not kind)


def _points(item: Element, where: str) -> Points:
    """Around which the box is, pixels."""
    if item.tag == "box":
        x1, y1, x2, y2 = (_number(item, key, where) for key in ("xtl", "ytl", "xbr", "ybr"))
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        degrees = _number(item, "rotation", where, "0")
        if degrees % 360:
            return turn(corners_of(x1, y1, x2, y2), degrees, middle)
        return [(x1, y1), (x2, y2)]
    if item.tag == "mask":
        x, y, width, height = (_number(item, k, where) for k in ("left", "top", "width", "height"))
        return corners_of(x, y, x + width, y + height)
    if item.tag == "ellipse":
        cx, cy, rx, ry = (_number(item, key, where) for key in ("cx", "cy", "rx", "ry"))
        return ellipse_around(cx, cy, rx, ry, _number(item, "rotation", where, "0"))
    if item.tag == "cuboid":
        keys = [f"{side}{number}" for side in ("xtl", "xbl", "xtr", "xbr") for number in (1, 2)]
        return [(_number(item, key, where), _number(item, f"y{key[1:]}", where)) for key in keys]
    pairs = [pair.split(",") for pair in (item.get("points") or "").split(";") if pair]
    if any(len(pair) != 2 for pair in pairs):
        raise InputError(f"{where}: its points are not x,y;x,y …")
    return [(parse_number(x, where), parse_number(y, where)) for x, y in pairs]


def _number(item: Element, key: str, where: str, default: str | None = None) -> float:
    return parse_number(item.get(key, default), f"{where} {key}")
