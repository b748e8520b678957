"""Tables of Hugging Face ``datasets``: a saved folder, or Parquet files as the hub keeps them.

    image         struct (bytes, path); or image_path, file_name: text
    width         int, pixels
    height        int, pixels
    objects       bbox: [[x, y, width, height], …] in pixels, category: [3, …] or ["dog", …]

``objects`` may also be a list of such pairs. The names of numbered categories are those of the
ClassLabel in the table's own metadata. pyarrow reads it all; ``datasets`` is not needed. Boxes are
pixels of the picture as displayed, as is its size where the table does not tell it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.datasets_rows import read_rows
from locvlm.annotations.splits import ALL, choose_split
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import files_below, is_folder, name_of, quote
from locvlm.media.image_files import ImageFolder, check_name, check_size, header_or_none, safe_name

ENDINGS = (".jpg", ".jpeg", ".png", ".webp")  # the first where nobody looks
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")


def read_datasets(
    path: str | Path, *, images: str | Path | None = None, split: str | None = None
) -> AnnotationSet:
    """All rows of a table with pictures and boxes.

    Categories are those of the ClassLabel, else those found, and each was looked for in every
    picture. Left out and counted in ``drops``: boxes without area or wholly outside, objects
    without a category, rows of a picture that was there before, pictures that are not in the folder
    `images` or cannot be read though their size is needed. Boxes that reach out are clipped, kept
    and counted.

    Args:
        path: a ``.parquet`` or ``.arrow`` file, or a folder with such files.
        images: folder of the pictures; None: do not look whether they are there. Pictures inside
            the table have to be saved there first, under the path that the table gives them. Those
            without a path are called by split and number: ``train-0.jpg``, or ``.png`` and so on,
            whichever is there.
        split: such as train, or all of them; None: train, or the only one there is.

    Raises:
        InputError: a file is missing or malformed, has not these columns, a row is not as above
            (with its number), or the folder holds none of the pictures.
    """
    path = Path(path)
    drops: Counter[str] = Counter()
    folder = ImageFolder(Path(images) if images is not None else None, drops)
    annotated: dict[str, AnnotatedImage] = {}
    categories: dict[str, None] = {}
    files = {file: _split_of(file, path) for file in _files(path)}
    splits = tuple(dict.fromkeys(name for name in files.values() if name))
    split = choose_split(split, splits, path)
    if split != ALL:
        drops["files of a table that belong to no split"] += list(files.values()).count("")
    count: Counter[str] = Counter()  # rows of each split so far
    for file in (file for file, name in files.items() if split in (ALL, name)):
        for where, row, names in read_rows(file):
            categories |= dict.fromkeys(names)
            stem = f"{files[file]}-{count[files[file]]}".removeprefix("-")
            name = folder.find(_file_names(row, stem, where))
            count[files[file]] += 1
            size = _size(row, name, folder, where) if name else None
            if name and name in annotated:
                drops["rows of a picture that another row has"] += 1
            elif name and size:
                found = _objects(row, names, size, where, drops)
                categories |= dict.fromkeys(item.category for item in found.objects) | found.boxless
                annotated[name] = AnnotatedImage(name, name, *size, **found.fields())
    folder.check(path)
    return AnnotationSet(
        images=tuple(annotated.values()),
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
        found = (file for file in files_below(path) if file.suffix in (".parquet", ".arrow"))
        files = [file for file in found if not file.name.startswith("cache-")]
    if not files:
        raise InputError(f"{path}: has no .parquet or .arrow files in it")
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


def _objects(
    row: dict[str, Any], names: Sequence[str], size: Size, where: str, drops: Counter[str]
) -> ImageFindings:
    found = ImageFindings()
    for place, (bbox, value) in enumerate(_pairs(row["objects"], where)):
        category = _category(value, names, where)
        if not category:
            drops["objects without a category"] += 1
            continue
        if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(_is_number, bbox)):
            raise InputError(f"{where}, object {place}: bbox {quote(bbox)} is not 4 numbers")
        x, y, width, height = bbox
        box = clip_box((x, y, x + width, y + height), size, drops, f"{where}, object {place}")
        found.add(category, box, id=place)
    return found


def _pairs(objects: Any, where: str) -> list[tuple[Any, Any]]:
    """Box and category of each object, from a dict of lists or a list of dicts."""
    if objects is None:
        return []
    if isinstance(objects, list) and all(isinstance(item, dict) for item in objects):
        return [(item.get("bbox"), item.get("category")) for item in objects]
    if isinstance(objects, dict):
        boxes, categories = objects.get("bbox") or [], objects.get("category") or []
        if isinstance(boxes, list) and isinstance(categories, list):
            if len(boxes) != len(categories):
                raise InputError(
                    f"{where}: {len(boxes)} boxes and {len(categories)} categories; give one each"
                )
            return list(zip(boxes, categories, strict=True))
    raise InputError(f"{where}: objects are not bbox and category of each")


def _category(value: Any, names: Sequence[str], where: str) -> str:
    """The name of a category; empty for a missing one, which ClassLabel writes as -1."""
    if value is None or value == -1:
        return ""
    if isinstance(value, str):
        return name_of(value, where)
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise InputError(
            f"{where}: the category {quote(value)} is neither a name nor one of the "
            f"{len(names)} of the table's ClassLabel"
        )
    return names[value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
