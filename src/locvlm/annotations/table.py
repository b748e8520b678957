"""LocVLM's own plain table, CSV or JSON lines: one object a row.

    image,width,height,category,x1,y1,x2,y2,crowd,description
    7.jpg,640,480,dog,10,20,110,220,0,the dog on the left
    8.jpg,640,480,,,,,,,

Boxes are edges in pixels of the picture as displayed, whose size every row repeats. An empty
category is a picture without objects. ``crowd`` and ``description`` may be left out. JSON lines
(``.jsonl``) have the same names: ``{"image": "7.jpg", "width": 640, …}``. CSV files of other tools
have other words for them (`locvlm.annotations.table_columns`), as TensorFlow's and Roboflow's:

    filename,width,height,class,xmin,ymin,xmax,ymax

Where a CSV file has no columns of sizes, they are those of the files.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.box_forms import corners_of
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.table_columns import NEEDED, find_columns
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import (
    csv_rows,
    name_of,
    one_line,
    parse_integer,
    parse_number,
    quote,
    sayable,
    text_lines,
)
from locvlm.media.image_files import check_name, check_size, find_images, header_or_none

EDGES = ("x1", "y1", "x2", "y2")
# Of records for training, whose boxes are written as text.
TEXT = frozenset(
    ("conversations", "messages", "prefix", "suffix", "query", "response", "instruction", "output")
)
CROWD = {"": False, "0": False, "false": False, "1": True, "true": True}


class _Row(msgspec.Struct):
    image: str
    width: int
    height: int
    category: str | None = None
    x1: float | None = None
    y1: float | None = None
    x2: float | None = None
    y2: float | None = None
    crowd: bool | int | None = None
    description: str | None = None


@dataclass
class _TableImage:
    size: Size
    found: ImageFindings = field(default_factory=ImageFindings)


def read_table(
    path: str | Path, *, images: str | Path | None = None, boxes: BoxForm | None = None
) -> AnnotationSet:
    """All pictures of a table, in the order of their first rows; it is read row by row.

    Categories are those found in the table, and each was looked for in every picture. Left out and
    counted in ``drops``: boxes without area or wholly outside, pictures that are not in the folder
    `images`, unusable descriptions. Boxes that reach out are clipped, kept and counted.

    Args:
        path: the file; ``.jsonl`` or ``.ndjson`` are JSON lines, all else is CSV.
        images: folder of the pictures; None: do not look whether they are there.
        boxes: how the four numbers are written; None: edges in pixels.

    Raises:
        InputError: the file cannot be read, a row is malformed (with its line) or gives its picture
            another size, a file name leads out of its folder, or the folder holds none of the
            pictures.
    """
    path = Path(path)
    drops = Drops()
    table: dict[str, _TableImage] = {}
    categories: dict[str, None] = {}
    folder = Path(images) if images else None
    rows = _json_rows(path) if path.suffix in (".jsonl", ".ndjson") else _csv_rows(path)
    if path.suffix == ".csv" and not _has_sizes(path):
        rows = _with_own_sizes(path, list(rows), folder, drops)
    for line, (place, row) in enumerate(rows, start=1):
        name = check_name(row.image, f"{place}, image")
        size = check_size(row.width, row.height, place)
        image = table.setdefault(name, _TableImage(size))
        if image.size != size:
            raise InputError(
                f"{place}: {quote(name)} is {size[0]} × {size[1]} pixels here and "
                f"{image.size[0]} × {image.size[1]} before; give it one size"
            )
        category = name_of(row.category or "", place)
        if category:
            categories[category] = None
            _add(image, row, category, line, place, boxes, drops)
    names = find_images({name: (name,) for name in table}, folder, path, drops)
    return AnnotationSet(
        images=tuple(
            AnnotatedImage(name, name, *table[key].size, **table[key].found.fields())
            for key, name in names.items()
        ),
        categories=tuple(categories),
        source=path,
        drops=+drops,
    )


def _csv_rows(path: Path) -> Iterator[tuple[str, _Row]]:
    columns = _columns(path)
    for place, found in csv_rows(path, ()):
        row = {ours: found[name] for ours, name in columns.items()}
        x1, y1, x2, y2 = (_edge(row[name], f"{place}, {columns[name]}") for name in EDGES)
        width, height = (
            parse_integer(row[name], f"{place}, {columns[name]}") if name in row else 0
            for name in ("width", "height")
        )
        crowd, text = _crowd(row.get("crowd", ""), place), row.get("description")
        yield place, _Row(row["image"], width, height, row["category"], x1, y1, x2, y2, crowd, text)


def _columns(path: Path) -> dict[str, str]:
    """Our words for the columns -> theirs. Raises InputError where some that are needed miss."""
    try:
        names = next(csv.reader(text_lines(path)), [])
    except csv.Error as error:
        raise InputError(f"{path}: line 1: not CSV ({error})") from None
    columns = find_columns(names)
    missing = [word for word in NEEDED if word not in columns]
    if missing:
        raise InputError(
            f"{path}: has no column {', '.join(missing)}; it needs: {', '.join(NEEDED)}, and has: "
            f"{quote(', '.join(names))}"
        )
    return columns


def _has_sizes(path: Path) -> bool:
    return {"width", "height"} <= _columns(path).keys()


def _with_own_sizes(
    path: Path, rows: list[tuple[str, _Row]], folder: Path | None, drops: Counter[str]
) -> Iterator[tuple[str, _Row]]:
    """The rows of pictures that are there, with the sizes of their files."""
    if folder is None and rows:
        raise InputError(
            f"{path}: has no columns width and height; add them, or give the folder of the pictures"
        )
    names = {check_name(row.image, place): (row.image,) for place, row in rows}
    found = find_images(names, folder, path, drops)
    headers = {name: header_or_none((folder or path) / file, drops) for name, file in found.items()}
    for place, row in rows:
        if header := headers.get(row.image):
            row.width, row.height = header.displayed
            yield place, row


def _edge(text: str, where: str) -> float | None:
    return parse_number(text, where) if text.strip() else None


def _crowd(text: str, place: str) -> bool:
    try:
        return CROWD[text.strip().lower()]
    except KeyError:
        raise InputError(f"{place}, crowd: {quote(text)} is neither 0 nor 1") from None


def _json_rows(path: Path) -> Iterator[tuple[str, _Row]]:
    for line, text in enumerate(text_lines(path), start=1):
        place = f"{path}: line {line}"
        if not text.strip():
            continue
        try:
            yield place, msgspec.json.decode(text, type=_Row)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise InputError(
                f"{place}: not a row of the table: {one_line(str(error))}{_way_out(text)}"
            ) from None


def _way_out(text: str) -> str:
    """What else a line is, that a table of boxes is not."""
    try:
        found = TEXT.intersection(msgspec.json.decode(text, type=dict[str, object]))
    except (msgspec.DecodeError, RecursionError, ValueError):
        return ""
    keys = ", ".join(sorted(found))
    return f"; it is text ({keys}), which locvlm import and convert read" if found else ""


def _add(
    image: _TableImage,
    row: _Row,
    category: str,
    line: int,
    place: str,
    form: str | None,
    drops: Counter[str],
) -> None:
    """The object of a row, to those of its picture."""
    edges = [edge for edge in (row.x1, row.y1, row.x2, row.y2) if edge is not None]
    if len(edges) < 4:
        raise InputError(f"{place}: {quote(category)} has no x1, y1, x2, y2; give its box")
    if form is not None:
        edges = list(corners_of(edges, image.size, form, "xyxy"))
    box = clip_box(edges, image.size, drops, place)
    text = one_line(row.description or "")
    usable = sayable(text)
    drops["descriptions that have braces"] += bool(text) and not usable
    descriptions = (text,) if usable else ()
    image.found.add(category, box, crowd=bool(row.crowd), id=line, descriptions=descriptions)
