"""Shapes that annotation tools draw, and the upright boxes around them.

A model is taught upright boxes. What a shape loses by that is counted, by its kind; of a shape that
no box tells, such as a point, only its category is kept: it is there, without a box.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from locvlm.annotations import box_forms
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.drops import Drops, note
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.readers import READERS
from locvlm.annotations.splits import ALL, TEST, TRAIN, VAL, choose_split, name_splits
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import quote
from locvlm.media.image_files import ImageFolder, header_or_none

Points = Sequence[tuple[float, float]]  # x, y
Edges = tuple[float, float, float, float]  # x1, y1, x2, y2


@dataclass(frozen=True, slots=True)
class Shape:
    """One annotated thing."""

    category: str
    kind: str  # in the plural, as it is counted: "polygons"; empty: an upright box, nothing is lost
    points: Callable[[Size], Points] | None  # size of the picture -> pixels; None: no box tells it
    where: str
    id: int | str = 0
    ordered: bool = False  # the points are the top left corner and the bottom right one


@dataclass(slots=True)
class DrawnImage:
    """A picture and what was drawn in it."""

    id: int | str
    names: tuple[str, ...]  # that its file may have, as `check_name` lets pass
    size: Size | None  # None: that of the file, as displayed
    where: str
    shapes: list[Shape] = field(default_factory=list)
    split: str = ""  # as it is called there; empty: it belongs to none


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a file or folder of a tool holds."""

    images: Iterable[DrawnImage]
    categories: Iterable[str] = ()  # that it declares; those found come after them


def build_annotation_set(
    name: str,
    read: Callable[[Path, Path | None, Drops], Drawing],
    path: str | Path,
    images: str | Path | None,
    form: BoxForm | None,
    split: str | None = None,
) -> AnnotationSet:
    """The pictures of a split that are there, with upright boxes.

    Args:
        name: of the reader.
        read: reads what was drawn; given the path, the folder and what to count in.
        path: of the annotations.
        images: folder of the pictures; None: do not look whether they are there.
        form: of the boxes, where it is not that of the reader.
        split: see `choose_split`; of a source without splits all is read.

    Raises:
        InputError: there is no such split, a picture has no size and there is no folder, or it has
            none of the pictures; or as `read` does.
    """
    path, drops = Path(path), Drops()
    folder = ImageFolder(Path(images) if images is not None else None, drops)
    drawing = read(path, folder.path, drops)
    known = dict.fromkeys(drawing.categories)
    annotated: dict[str, AnnotatedImage] = {}
    drawn = list(drawing.images)
    names = _name_splits(drawn)
    chosen = choose_split(split, tuple(names.values()), path)
    for item in drawn:
        own = names.get(item.split, "")
        if chosen not in (ALL, own):
            if not own:
                note(drops, "pictures that belong to no split", item.where)
            continue
        known |= dict.fromkeys(shape.category for shape in item.shapes)
        file = folder.find(item.names)
        size = _size(item, file, folder) if file else None
        if file and file in annotated:
            note(drops, "annotations of a picture that was there before", item.where)
        elif file and size:
            found = _boxes(item.shapes, size, name, form, drops)
            annotated[file] = AnnotatedImage(item.id, file, *size, split=own, **found.fields())
    folder.check(path)
    return AnnotationSet(
        tuple(annotated.values()),
        tuple(known),
        path,
        +drops,
        splits=tuple(names.values()),
        options={"split": chosen} if names else {},
    )


def _name_splits(drawn: Iterable[DrawnImage]) -> dict[str, str]:
    """A source's own names of splits -> what they are called here, train first."""
    usual = (TRAIN, VAL, TEST)
    names = name_splits(item.split for item in drawn if item.split)
    order = {name: usual.index(name) if name in usual else len(usual) for name in names.values()}
    return dict(sorted(names.items(), key=lambda pair: order[pair[1]]))


def _size(item: DrawnImage, name: str, folder: ImageFolder) -> Size | None:
    if item.size:
        return item.size
    if folder.path is None:
        raise InputError(
            f"{item.where}: does not tell the size of its picture; give the folder of the pictures"
        )
    seen = header_or_none(folder.path / name, folder.drops)
    return seen.displayed if seen else None


def _boxes(
    shapes: Iterable[Shape], size: Size, reader: str, form: BoxForm | None, drops: Counter[str]
) -> ImageFindings:
    found = ImageFindings()
    for shape in shapes:
        if shape.points is None:
            note(drops, f"{shape.kind}, which have no box", shape.where)
            found.add(shape.category, None)
            continue
        count_lost(shape.kind, drops, shape.where)
        points = shape.points(size)
        edges = around(points, shape.where)
        if shape.ordered:
            edges = (*points[0], *points[1])
        if form is not None:
            edges = _reread(edges, size, reader, form, upright=not shape.kind)
        found.add(shape.category, clip_box(edges, size, drops, shape.where), id=shape.id)
    return found


def _reread(edges: Edges, size: Size, reader: str, form: BoxForm, *, upright: bool) -> Edges:
    """Edges in pixels that were read as the reader does, read as `form` says.

    Of what was drawn as another shape than an `upright` box, points have no order to be wrong.
    """
    own, sizes = READERS[reader], np.array([size], np.float64)
    corners = np.array([edges], np.float64) / box_forms.unit_sizes(sizes, own.unit)
    if upright:
        numbers = box_forms.from_corners(corners, own.order)[0].tolist()
        return box_forms.corners_of(numbers, size, form, own.order)
    x1, y1, x2, y2 = (corners * box_forms.unit_sizes(sizes, box_forms.unit_of(form)))[0].tolist()
    return x1, y1, x2, y2


def pixels(points: Points) -> Callable[[Size], Points]:
    """Points that are pixels already, whatever the size of the picture."""
    return lambda _: points


def count_lost(kind: str, drops: Counter[str], where: str) -> None:
    """Counts a shape of a `kind` of which only the upright box around it is taken."""
    if kind:
        note(drops, f"{kind}, of which the upright box around them is taken", where)


def around(points: Points, where: str) -> Edges:
    """x1, y1, x2, y2 of the upright box around points. Raises InputError where there is none."""
    if not points:
        raise InputError(f"{where}: has no points; draw it again, or remove it")
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def number_of(value: Any, where: str) -> float:
    """A number of JSON. Raises InputError where it is none, or beyond all numbers."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except OverflowError:
        pass
    raise InputError(f"{where}: {quote(value)} is not a number")


def corners_of(x1: float, y1: float, x2: float, y2: float) -> Points:
    """The four corners of a box, clockwise from the first."""
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def turn(points: Points, degrees: float, about: tuple[float, float]) -> Points:
    """`points` turned clockwise, as it looks where y points down."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ax, ay = about
    return [
        (ax + (x - ax) * cos - (y - ay) * sin, ay + (x - ax) * sin + (y - ay) * cos)
        for x, y in points
    ]


def ellipse_around(cx: float, cy: float, rx: float, ry: float, degrees: float = 0.0) -> Points:
    """Two corners of the upright box around an ellipse that is turned clockwise."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    half_width, half_height = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    return [(cx - half_width, cy - half_height), (cx + half_width, cy + half_height)]
