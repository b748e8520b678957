"""Tables of Hugging Face ``datasets``: saved folders, Parquet files of the hub, image folders.

    image         struct (bytes, path); or image_path, file_name: text
    width         int, pixels
    height        int, pixels
    objects       bbox: [[x, y, width, height], …] in pixels, category: [3, …] or ["dog", …]

``objects`` may also be a list of such pairs, and other usual words for ``bbox`` and ``category``
will do. Boxes are corners where the numbers of the whole table prove it. The names of numbered
categories are those of the ClassLabel in the table's own metadata. pyarrow reads it all;
``datasets`` is not needed. Boxes are pixels of the picture as displayed, as is its size where the
table does not tell it.

An image folder has the pictures and a ``metadata.jsonl`` with a row for each, as ``datasets``
(huggingface.co/docs/datasets/image_dataset, "Object detection") and AutoTrain take it; or a
``metadata.csv``, whose objects are JSON:

    {"file_name": "0001.png", "objects": {"bbox": [[302.0, 109.0, 73.0, 52.0]], "categories": [0]}}
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.box_forms import corners_of
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.datasets_objects import (
    Coords,
    category_of,
    coords_of,
    pairs_of,
    prove_corners,
)
from locvlm.annotations.datasets_rows import read_json_rows, read_rows
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.splits import ALL, choose_split, name_splits
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import files_below, is_folder
from locvlm.media.image_files import ImageFolder, check_name, check_size, header_or_none, safe_name

METADATA = ("metadata.jsonl", "metadata.csv")
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")  # the first where nobody looks
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")


@dataclass(slots=True)
class _Row:
    """A picture, and what the table says of each object: place, category, numbers, corners."""

    where: str
    size: Size
    boxes: list[tuple[int, str, Coords, bool]]
    split: str


def read_datasets(
    path: str | Path,
    *,
    images: str | Path | None = None,
    split: str | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """All rows of a table with pictures and boxes.

    Categories are those of the ClassLabel, else those found, and each was looked for in every
    picture. Left out and counted in ``drops``: boxes without area or wholly outside, objects
    without a category, rows of a picture that was there before, pictures that are not in the folder
    `images` or cannot be read though their size is needed. Boxes that reach out are clipped, kept
    and counted.

    Args:
        path: a ``.parquet`` or ``.arrow`` file, a ``metadata.jsonl``, or a folder with such files.
        images: folder of the pictures; None: do not look whether they are there. Pictures inside
            the table have to be saved there first, under the path that the table gives them. Those
            without a path are called by split and number: ``train-0.jpg``, or ``.png`` and so on,
            whichever is there.
        split: such as train, or all of them; None: train, or the only one there is.

        boxes: how the boxes are written; None: x, y, width, height in pixels, or corners where the
            numbers prove it.

    Raises:
        InputError: a file is missing or malformed, has not these columns, a row is not as above
            (with its number), or the folder holds none of the pictures.
    """
    path = Path(path)
    drops = Drops()
    folder = ImageFolder(Path(images) if images is not None else None, drops)
    rows: dict[str, _Row] = {}
    categories: dict[str, None] = {}
    files = {file: _split_of(file, path) for file in _files(path)}  # as they are called there
    names = name_splits(name for name in files.values() if name)
    splits = tuple(names.values())
    split = choose_split(split, splits, path)
    if split != ALL:
        drops["files of a table that belong to no split"] += list(files.values()).count("")
    count: Counter[str] = Counter()  # rows of each split so far
    for file in (file for file, name in files.items() if split in (ALL, names.get(name))):
        lines = file.suffix in (".jsonl", ".csv")
        for where, row, classes in read_json_rows(file) if lines else read_rows(file):
            categories |= dict.fromkeys(classes)
            stem = f"{files[file]}-{count[files[file]]}".removeprefix("-")
            choice = _file_names(row, stem, where)
            name = folder.find(_below(file, folder.path, choice) if lines else choice)
            count[files[file]] += 1
            size = _size(row, name, folder, where) if name else None
            if name and name in rows:
                drops["rows of a picture that another row has"] += 1
            elif name and size:
                items = _boxes(row, classes, lines, where, drops)
                rows[name] = _Row(where, size, items, names.get(files[file], ""))
    folder.check(path)
    unnamed = [(box[2], image.size) for image in rows.values() for box in image.boxes if not box[3]]
    corners = boxes is None and prove_corners(
        [box for box, _ in unnamed], [size for _, size in unnamed]
    )
    drops["boxes read as x1, y1, x2, y2, as their numbers prove"] += corners * len(unnamed)
    annotated = []
    for name, image in rows.items():
        found = _objects(image, corners, boxes, drops)
        categories |= dict.fromkeys(item.category for item in found.objects) | found.boxless
        fields = found.fields()
        annotated.append(AnnotatedImage(name, name, *image.size, split=image.split, **fields))
    return AnnotationSet(
        images=tuple(annotated),
        categories=tuple(categories),
        source=path,
        drops=+drops,
        splits=splits,
        options={"split": split},
    )


def _files(path: Path) -> list[Path]:
    """The files of the table. Arrow files that start with cache are datasets' own, made on use."""
    if not is_folder(path):
        files = [path]
    else:
        below = files_below(path)
        found = (file for file in below if file.suffix in (".parquet", ".arrow"))
        files = [file for file in found if not file.name.startswith("cache-")]
        files = files or [file for file in below if file.name in METADATA]
    if not files:
        raise InputError(
            f"{path}: has no .parquet or .arrow files in it, nor a metadata.jsonl or metadata.csv"
        )
    return files


def _split_of(file: Path, path: Path) -> str:
    """By name: train-00000-of-00001.parquet or train/0000.parquet on the hub, train.parquet, and
    train/data-….arrow in a saved folder. Empty where none of them says it.
    """
    shard = _SHARD.fullmatch(file.stem)
    first = shard[1] if shard else file.stem
    folder = file.parent.name if file.parent != path and file != path else ""
    usual = [name for name in (first, folder) if name in SPLITS]
    if usual:
        return usual[0]
    return (folder if first == "data" else first) if shard else ""


def _below(file: Path, images: Path | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names in a ``metadata.jsonl`` are relative to its own folder, wherever that is in `images`.

    Both are tried.
    """
    own, base = file.parent.absolute(), images.absolute() if images else None
    if base is None or own == base or not own.is_relative_to(base):
        return names
    below = own.relative_to(base).as_posix()
    return (*(f"{below}/{name}" for name in names if name[0] != "/"), *names)


def _file_names(row: dict[str, Any], stem: str, where: str) -> tuple[str, ...]:
    """That of the table, else `stem` with the endings that a picture inside the table may get."""
    name = row["file"]
    if not name and row["inside"]:
        return tuple(safe_name(f"{stem}{suffix}", where) for suffix in ENDINGS)
    if not isinstance(name, str) or not name:
        raise InputError(
            f"{where}: its picture has no file name; save the pictures to files and name them in "
            "image_path"
        )
    return (check_name(name, where),)


def _size(row: dict[str, Any], name: str, folder: ImageFolder, where: str) -> Size | None:
    width, height = row.get("width"), row.get("height")
    if isinstance(width, int) and isinstance(height, int):
        return check_size(width, height, where)
    if folder.path is None:
        raise InputError(
            f"{where}: has no width and height; give the folder of the pictures to read them there"
        )
    seen = header_or_none(folder.path / name, folder.drops)
    return seen.displayed if seen else None


def _objects(item: _Row, corners: bool, form: str | None, drops: Counter[str]) -> ImageFindings:
    found = ImageFindings()
    for place, category, (x, y, u, v), named in item.boxes:
        edges = (x, y, u, v) if corners or named else (x, y, x + u, y + v)
        if form is not None and not named:
            edges = corners_of((x, y, u, v), item.size, form, "xywh")
        box = clip_box(edges, item.size, drops, f"{item.where}, object {place}")
        found.add(category, box, id=place)
    return found


def _boxes(
    row: dict[str, Any], names: Sequence[str], numbered: bool, where: str, drops: Counter[str]
) -> list[tuple[int, str, Coords, bool]]:
    """Place, category, numbers and whether they are surely corners, of each object."""
    boxes = []
    for place, (bbox, value) in enumerate(pairs_of(row["objects"], where)):
        category = category_of(value, names, numbered, where)
        if not category:
            drops["objects without a category"] += 1
            continue
        unnamed = numbered and not names and not isinstance(value, str)
        drops["categories with a number for a name"] += unnamed
        boxes.append((place, category, *coords_of(bbox, f"{where}, object {place}")))
    return boxes
