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
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.splits import ALL, choose_split
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import GROWTH, files_below, is_folder, name_of, one_line, quote
from locvlm.media.image_files import ImageFolder, check_size, header_or_none, safe_name

NAMES = ("image", "image_path", "file_name")  # columns that may name the picture's file
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")  # the first where nobody looks
SPLITS = ("train", "training", "val", "valid", "validation", "dev", "test", "testing")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")
HARMLESS = (
    1 << 22
)  # values that any file may have; beyond it at most `GROWTH` for each of its bytes


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
        for where, row, names in _rows(file):
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


def _rows(file: Path) -> Iterator[tuple[str, dict[str, Any], Sequence[str]]]:
    """Each row with its place and the names of its numbered categories."""
    import pyarrow as pa

    number = 0
    try:
        schema, batches = _open(file)
        names = _class_names(file, schema.metadata or {})
        columns = _columns(file, schema)
        inside_table = _is_struct(schema, columns[0])
        for batch in batches:
            batch.validate(full=True)
            for row in _narrow(batch, columns).to_pylist():
                row["inside"] = inside_table
                yield f"{file}: row {number}", row, names
                number += 1
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(str(error)) or type(error).__name__
        raise InputError(
            f"{file}: cannot be read as a table after row {number} ({quote(reason, 200)}); "
            "get it again"
        ) from None


def _open(file: Path) -> tuple[Any, Iterator[Any]]:
    """The schema and the batches of rows, not read yet; of pictures in a table no pixels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix == ".arrow":
        stream = pa.ipc.open_stream(pa.memory_map(str(file)))
        return stream.schema, iter(stream)
    table = pq.ParquetFile(file)
    _check_growth(file, table.metadata)
    schema = table.schema_arrow
    wanted = [
        "image.path" if name == "image" and _is_struct(schema, name) else name
        for name in schema.names
        if name in (*NAMES, "width", "height", "objects")
    ]
    return schema, table.iter_batches(batch_size=1024, columns=wanted)


def _check_growth(file: Path, metadata: Any) -> None:
    """Raises InputError where the file packs values beyond all measure, as a bomb does."""
    places = product(range(metadata.num_row_groups), range(metadata.num_columns))
    values = sum(metadata.row_group(group).column(column).num_values for group, column in places)
    if values > max(HARMLESS, GROWTH * file.stat().st_size):
        raise InputError(
            f"{file}: has {values} values in {file.stat().st_size} bytes; write it anew, without "
            "compression, if it can be trusted"
        )


def _is_struct(schema: Any, name: str) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(schema.field(name).type)


def _columns(file: Path, schema: Any) -> list[str]:
    named = [name for name in NAMES if name in schema.names]
    missing = ["image or image_path"] * (not named) + ["objects"] * ("objects" not in schema.names)
    if missing:
        raise InputError(
            f"{file}: has no column {', '.join(missing)}; it has: {quote(', '.join(schema.names))}"
        )
    sizes = [name for name in ("width", "height") if name in schema.names]
    return [named[-1], *sizes, "objects"]


def _narrow(batch: Any, columns: Sequence[str]) -> Any:
    """The batch without other columns, and without the pixels of its pictures."""
    import pyarrow as pa

    arrays = []
    for name in columns:
        array = batch.column(name)
        arrays.append(
            array.field("path") if name in NAMES and _is_struct(batch.schema, name) else array
        )
    return pa.RecordBatch.from_arrays(arrays, names=["file", *columns[1:]])


def _class_names(file: Path, metadata: dict[bytes, bytes]) -> list[str]:
    """The names of the ClassLabel below ``objects``, in the schema's metadata; none: empty."""
    if b"huggingface" not in metadata:
        return []
    try:
        tree = msgspec.json.decode(metadata[b"huggingface"])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InputError(f"{file}: its metadata under huggingface are no JSON") from None
    names = _find(_find(_find(tree, "objects"), "category"), "names")
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{file}: the names of its ClassLabel are no list of names")
    return [name_of(name, f"{file}: its ClassLabel") for name in names]


def _find(tree: Any, key: str) -> Any:
    """The first value under `key`, however deep; None where there is none."""
    if not isinstance(tree, dict):
        return None
    if key in tree:
        return tree[key]
    found = (_find(value, key) for value in tree.values())
    return next((value for value in found if value is not None), None)


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
    return (safe_name(name, where),)


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
