"""Label Studio: JSON and JSON_MIN exports (labelstud.io/guide/export and …/task_format).

    [{"id": 1, "data": {"image": "/data/upload/3/4f2a1b3c-7.jpg"}, "annotations": [{"result": [
        {"type": "rectanglelabels", "original_width": 640, "original_height": 480,
         "image_rotation": 0, "value": {"x": 1.5, "y": 4.2, "width": 15.6, "height": 41.7,
                                        "rotation": 0, "rectanglelabels": ["dog"]}}]}]}]

    [{"id": 1, "image": "/data/upload/3/4f2a1b3c-7.jpg",
      "label": [{"x": 1.5, …, "rectanglelabels": ["dog"], "original_width": 640, …}]}]

Numbers are percent of the picture's width and height as displayed. A rectangle is turned clockwise
by ``rotation`` degrees about its top left corner (labelstud.io/tags/rectanglelabels: x and y are
those before rotation), in pixels. Every label of a region is a category of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

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
    turn,
)
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import decode_json, name_of, quote
from locvlm.media.image_files import IMAGE_SUFFIXES, check_name, check_size

KINDS = {"rectangle": "", "polygon": "polygons", "ellipse": "ellipses"}  # that a box can tell
BOXLESS = {"brush": "masks", "keypoint": "points"}
_LABELS = (
    *("rectanglelabels", "polygonlabels", "ellipselabels", "brushlabels", "keypointlabels"),
    *("labels", "choices"),
)

Json = dict[str, Any]


def read_labelstudio(
    path: str | Path, *, images: str | Path | None = None, boxes: BoxForm | None = None
) -> AnnotationSet:
    """All annotated tasks of an export; those in which nothing was drawn too.

    Of several annotations of a task the one marked as ground truth is taken, else the first.
    Predictions are not read. Categories are those found, and each was looked for in every picture.
    What is not upright is counted in ``drops``, as are masks and points, which have no box; their
    categories are there all the same. Left out and counted: tasks that nobody annotated, further
    annotations, regions without a label, regions of pictures that were turned, boxes without area
    or wholly outside, pictures that are not in the folder `images`. Boxes that reach out are
    clipped, kept and counted.

    Args:
        path: the JSON file.
        images: folder of the pictures; None: do not look whether they are there.
        boxes: how x, y, width and height are written; None: as they are called, in percent.

    Raises:
        InputError: the file is malformed, a task has no picture, or a picture no size (with the
            place), or the folder holds none of the pictures.
    """
    return build_annotation_set("labelstudio", _read, path, images, boxes)


def _read(path: Path, _: Path | None, drops: Drops) -> Drawing:
    tasks = decode_json(path, list[Json], "a JSON export of Label Studio")
    drawn = (_image(task, f"{path}: [{place}]", drops) for place, task in enumerate(tasks))
    return Drawing(filter(None, drawn))


def _image(task: Json, where: str, drops: Counter[str]) -> DrawnImage | None:
    regions = _regions(task, where, drops)
    if regions is None:
        note(drops, "tasks that nobody annotated", where)
        return None
    data = task["data"] if isinstance(task.get("data"), dict) else task
    name = check_name(_image_name(data, where), where)
    joined = list(_joined(regions))
    drawn = [region for region in joined if _kind(region)]
    for region in joined:
        if not _kind(region):
            what = quote(region.get("type") or ", ".join(region["value"]))
            note(drops, f"regions that are no shape ({what})", where)
    pictures = {(region.get("to_name"), region.get("item_index")) for region in drawn}
    if len(pictures) > 1:
        note(drops, "tasks with shapes in several pictures, which are not told apart", where)
        return None
    shapes = [shape for region in drawn for shape in _shapes(region, where, drops)]
    sizes = {size for region in regions if (size := _size_of(region, where))}
    if len(sizes) > 1:
        raise InputError(f"{where}: has regions of pictures of several sizes: {sorted(sizes)}")
    key = task.get("id")
    key = key if isinstance(key, int | str) else name
    return DrawnImage(key, (name,), next(iter(sizes), None), where, shapes)


def _regions(task: Json, where: str, drops: Counter[str]) -> list[Json] | None:
    """Of the annotation that counts, each with its ``value`` beside its other fields."""
    listed = task.get("annotations", task.get("completions"))
    if "data" not in task:  # JSON_MIN
        found = [
            region
            for value in task.values()
            if isinstance(value, list)
            for region in value
            if isinstance(region, dict) and "original_width" in region
        ]
        return [{**region, "value": region} for region in found]
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise InputError(f"{where}: has no list of annotations; export it as JSON")
    done = [item for item in listed if not item.get("was_cancelled")]
    if not done:
        return None
    for _ in done[1:]:
        note(drops, "annotations of a task beside the one that is read", where)
    chosen = next((item for item in done if item.get("ground_truth")), done[0])
    regions = chosen.get("result", [])
    if not isinstance(regions, list) or not all(isinstance(item, dict) for item in regions):
        raise InputError(f"{where}: the result of its annotation is no list of regions")
    return [item for item in regions if isinstance(item.get("value"), dict)]


def _image_name(data: Json, where: str) -> str:
    """Under ``image``, else the only text that ends as files of pictures do."""
    named = data.get("image")
    if isinstance(named, str) and named:
        return named
    texts = [value for value in data.values() if isinstance(value, str)]
    files = [text for text in texts if _suffix(text) in IMAGE_SUFFIXES]
    if len(files) != 1:
        raise InputError(
            f"{where}: has {len(files)} names of pictures in its data ({quote(', '.join(data))}); "
            "one under image is needed"
        )
    return files[0]


def _suffix(text: str) -> str:
    path = text if "?d=" in text else text.partition("?")[0]
    return PurePosixPath(unquote(path)).suffix.lower()


def _joined(regions: list[Json]) -> Iterator[Json]:
    """Regions with their labels, which a project may ask for apart, under the same id."""
    together: dict[Any, Json] = {}
    for number, region in enumerate(regions):
        key = region.get("id", number)
        if key not in together:
            together[key] = {**region, "value": dict(region["value"])}
        else:
            together[key]["value"] |= region["value"]
    yield from together.values()


def _kind(region: Json) -> str:
    """rectangle, polygon, ellipse, brush or keypoint, by what a region has; empty: none of them."""
    value = region["value"]
    if "keypointlabels" in value:
        return "keypoint"
    if "radiusX" in value:
        return "ellipse"
    if "points" in value:
        return "polygon"
    if "rle" in value or value.get("format") == "rle":
        return "brush"
    if {"x", "y", "width", "height"} <= value.keys():
        return "rectangle"
    return "keypoint" if {"x", "y"} <= value.keys() else ""


def _shapes(region: Json, where: str, drops: Counter[str]) -> Iterator[Shape]:
    """One for each label of a region."""
    value, kind = region["value"], _kind(region)
    labels = [label for key in _LABELS for label in _texts(value.get(key))]
    names = dict.fromkeys(filter(None, (name_of(label, where) for label in labels)))
    if not names:
        note(drops, "regions without a label", where)
    turned = region.get("image_rotation") or 0
    for name in names:
        if turned:
            yield Shape(name, "regions of a picture that was turned in Label Studio", None, where)
        elif kind in BOXLESS:
            yield Shape(name, BOXLESS[kind], None, where)
        else:
            rotated = kind == "rectangle" and _number(value, "rotation", where, 0) % 360 != 0
            lost = "rotated boxes" if rotated else KINDS[kind]
            numbers = _numbers(value, kind, where)
            id_ = region.get("id", 0)
            yield Shape(
                name,
                lost,
                partial(_points, kind, numbers),
                where,
                id_ if isinstance(id_, int | str) else 0,
            )


def _numbers(value: Json, kind: str, where: str) -> list[float]:
    """Percent and degrees."""
    if kind == "polygon":
        pairs = value["points"]
        if not isinstance(pairs, list) or not all(
            isinstance(pair, list) and len(pair) == 2 for pair in pairs
        ):
            raise InputError(f"{where}: the points of a polygon are not [x, y] of each")
        return [number_of(number, where) for pair in pairs for number in pair]
    sides = ("width", "height") if kind == "rectangle" else ("radiusX", "radiusY")
    numbers = [_number(value, key, where) for key in ("x", "y", *sides)]
    return [*numbers, _number(value, "rotation", where, 0)]


def _points(kind: str, numbers: list[float], size: Size) -> Points:
    """Around which the box is, pixels of a picture of `size`."""
    width, height = size[0] / 100, size[1] / 100
    if kind == "polygon":
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return [(x * width, y * height) for x, y in pairs]
    x, y, u, v, degrees = numbers
    x, y, u, v = x * width, y * height, u * width, v * height
    if kind == "ellipse":
        return ellipse_around(x, y, u, v, degrees)
    corners = corners_of(x, y, x + u, y + v)
    return turn(corners, degrees, (x, y)) if degrees % 360 else corners


def _size_of(region: Json, where: str) -> Size | None:
    sides = [region.get(key) for key in ("original_width", "original_height")]
    if None in sides:
        return None
    width, height = (number_of(side, f"{where}: original size") for side in sides)
    if not math.isfinite(width) or not math.isfinite(height):
        raise InputError(f"{where}: its original size is not finite")
    return check_size(int(width), int(height), where)


def _texts(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, str)]


def _number(value: Json, key: str, where: str, default: float | None = None) -> float:
    found = value.get(key)
    return number_of(default if found is None else found, f"{where}, {key}")
