"""Projects of VIA 3 (gitlab.com/vgg/via, via-3.x.y/src/js/_via_metadata.js), as VIA 2 has regions.

    {"project": {"pid": "__VIA_PROJECT_ID__"}, "config": {},
     "attribute": {"1": {"aname": "class", "type": 4, "options": {"0": "cat", "1": "dog"}}},
     "file": {"1": {"fid": "1", "fname": "7.jpg", "type": 2}},
     "view": {"1": {"fid_list": ["1"]}},
     "metadata": {"1_a": {"vid": "1", "z": [], "xy": [2, 10, 20, 100, 200], "av": {"1": "1"}}}}

``xy`` begins with the kind of shape, pixels follow. A value is text, the key of an option, or
several with commas between.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.drops import Drops, note
from locvlm.errors import InputError
from locvlm.io.reading import Id, decode_json, quote

IMAGE = 2  # type of a file; 4 and 8 are video and audio
CHECKBOX = 2  # type of an attribute: several options
SIDES = {  # kind of shape -> its name in VIA 2, and that of each number
    1: ("point", ("cx", "cy")),
    2: ("rect", ("x", "y", "width", "height")),
    3: ("circle", ("cx", "cy", "r")),
    4: ("ellipse", ("cx", "cy", "rx", "ry")),
}
POINTS = {5: "polyline", 6: "polyline", 7: "polygon"}
_EXTREME_BOX, _EXTREME_CIRCLE = 8, 9  # points on the edge

Region = tuple[dict[str, Any], dict[str, Any], str]  # shape, attributes, place


class _Attribute(msgspec.Struct):
    aname: str
    type: int = 1
    options: dict[str, str] = {}


class _File(msgspec.Struct):
    fname: str = ""
    src: str = ""
    type: int = IMAGE


class _View(msgspec.Struct):
    fid_list: list[Id] = []


class _Metadata(msgspec.Struct):
    vid: Id
    xy: list[float] = []
    z: list[float] = []
    av: dict[str, Any] = {}


class _Project(msgspec.Struct):
    file: dict[str, _File]
    view: dict[str, _View]
    metadata: dict[str, _Metadata]
    attribute: dict[str, _Attribute] = {}


def is_project(keys: Collection[str]) -> bool:
    """Whether a file with these keys is a project of VIA 3."""
    return {"metadata", "view", "file"} <= set(keys)


def read_project(path: Path, drops: Drops) -> dict[str, list[Region]]:
    """The regions of each picture by its name; of clips none, which is counted.

    Raises:
        InputError: the file is malformed, or a region has too few numbers.
    """
    tree = decode_json(path, _Project, "a project of VIA 3")
    found: dict[str, list[Region]] = {}
    names: dict[str, str] = {}  # view -> picture
    for key, view in tree.view.items():
        files = [tree.file.get(str(number)) for number in view.fid_list]
        if len(files) != 1 or files[0] is None or files[0].type != IMAGE:
            note(drops, "views of VIA that are no single picture", f"{path}: view {quote(key)}")
            continue
        names[key] = files[0].fname or files[0].src
        found.setdefault(names[key], [])
    for key, item in tree.metadata.items():
        where = f"{path}: metadata {quote(key)}"
        name = names.get(str(item.vid))
        if name is None or not item.xy:
            reason = "of clips, or of no file" if name is None else "of whole pictures"
            note(drops, f"regions of VIA {reason}", where)
        else:
            found[name].append((_shape(item.xy, where), _values(item, tree.attribute), where))
    return found


def _values(item: _Metadata, attributes: dict[str, _Attribute]) -> dict[str, Any]:
    """By the attribute's name; of checkboxes each that is set."""
    values: dict[str, Any] = {}
    for key, value in item.av.items():
        attribute = attributes.get(key)
        if attribute is None:
            continue
        options, text = attribute.options, str(value)
        if attribute.type == CHECKBOX:
            values[attribute.aname] = {options.get(word, word): True for word in text.split(",")}
        else:
            values[attribute.aname] = options.get(text, text)
    return values


def _shape(xy: list[float], where: str) -> dict[str, Any]:
    """As VIA 2 writes it."""
    kind, numbers = int(xy[0]), xy[1:]
    if kind in SIDES:
        name, sides = SIDES[kind]
        if len(numbers) < len(sides):
            raise InputError(f"{where}: a {name} has {len(numbers)} numbers, not {len(sides)}")
        return {"name": name, **dict(zip(sides, numbers, strict=False))}
    xs, ys = numbers[::2], numbers[1::2]
    known = kind in (*POINTS, _EXTREME_BOX, _EXTREME_CIRCLE)
    if not known or len(xs) != len(ys) or len(xs) < 2:
        raise InputError(f"{where}: a shape of an unknown kind {quote(xy)}")
    if kind == _EXTREME_BOX:
        x, y = min(xs), min(ys)
        return {"name": "rect", "x": x, "y": y, "width": max(xs) - x, "height": max(ys) - y}
    if kind == _EXTREME_CIRCLE:
        return _circle(xs, ys, where)
    return {"name": POINTS[kind], "all_points_x": xs, "all_points_y": ys}


def _circle(xs: list[float], ys: list[float], where: str) -> dict[str, Any]:
    """Through three points."""
    if len(xs) != 3:
        raise InputError(f"{where}: a circle has {len(xs)} points; it needs 3")
    ax, ay = xs[1] - xs[0], ys[1] - ys[0]
    bx, by = xs[2] - xs[0], ys[2] - ys[0]
    twice = 2 * (ax * by - ay * bx)
    if twice == 0:
        raise InputError(f"{where}: the three points of a circle lie on a line")
    a, b = ax * ax + ay * ay, bx * bx + by * by
    dx, dy = (by * a - ay * b) / twice, (ax * b - bx * a) / twice
    return {"name": "circle", "cx": xs[0] + dx, "cy": ys[0] + dy, "r": (dx * dx + dy * dy) ** 0.5}
