"""The rows of a Parquet or Arrow file with pictures and boxes; of the pictures no pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from locvlm.annotations.class_lists import find_class_list, read_class_list
from locvlm.errors import InputError
from locvlm.io.reading import (
    GROWTH,
    csv_rows,
    name_of,
    one_line,
    parse_integer,
    quote,
    text_lines,
)

NAMES = ("image", "image_path", "file_name")  # columns that may name the picture's file
BOXES = ("bbox", "bboxes", "boxes", "box")  # what tools call the boxes below `objects`
CATEGORIES = (  # and their categories
    *("category", "categories", "category_name", "label", "labels", "class", "classes"),
    *("class_label", "class_labels", "category_id", "label_id", "name", "names"),
)
# Values that any file may have; beyond it at most `GROWTH` for each of its bytes.
HARMLESS = 1 << 22


def read_rows(file: Path) -> Iterator[tuple[str, dict[str, Any], Sequence[str]]]:
    """Each row with its place and the names of its numbered categories.

    A row has ``file`` (name of its picture, None where it has none), ``inside`` (whether the table
    has the pixels too), ``objects`` and, where the table has them, ``width`` and ``height``.

    Raises:
        InputError: the file cannot be read, or has not these columns.
    """
    import pyarrow as pa

    number = 0
    try:
        schema, batches = _open(file)
        names = _class_names(file, schema.metadata or {}) or _names_or_none(file)
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


def read_json_rows(file: Path) -> Iterator[tuple[str, dict[str, Any], Sequence[str]]]:
    """The same of a ``metadata.jsonl``, or a ``metadata.csv`` whose ``objects`` are JSON.

    Names are those of a list of classes beside it, if any.

    Raises:
        InputError: the file cannot be read, or a line has not these fields.
    """
    names = _names_beside(file)
    for where, row in _csv_rows(file) if file.suffix == ".csv" else _json_lines(file):
        name = next((row[key] for key in reversed(NAMES) if row.get(key)), None)
        if "objects" not in row:
            raise InputError(
                f"{where}: has no objects with bbox and category; it has: {quote(', '.join(row))}"
            )
        yield where, {**row, "file": name, "inside": False}, names


def _names_beside(file: Path) -> list[str]:
    """Of a list of classes beside the file; empty where there is none."""
    listed = find_class_list(file.parent)
    numbered = read_class_list(listed) if listed else {}
    return [numbered[number] for number in range(len(numbered)) if number in numbered]


def _names_or_none(file: Path) -> list[str]:
    """The same for a table, whose categories may be names: lists that differ are none."""
    try:
        return _names_beside(file)
    except InputError:
        return []


def _json_lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for line, text in enumerate(text_lines(file), start=1):
        where = f"{file}: line {line}"
        if text.strip():
            yield where, _decode(text, where, dict[str, Any])


def _csv_rows(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row in csv_rows(file, ("file_name",)):
        found: dict[str, Any] = dict(row)
        if "objects" in row:
            found["objects"] = _decode(row["objects"] or "null", f"{where}, objects", Any)
        for side in ("width", "height"):
            if row.get(side, "").strip():
                found[side] = parse_integer(row[side], f"{where}, {side}")
        yield where, found


def _decode(text: str, where: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{where}: not a row ({one_line(str(error))})") from None


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
    objects = _find_key(tree, "objects")
    labels = (_find_key(_find_key(objects, key), "names") for key in CATEGORIES[:-2])
    names = next((item for item in labels if item is not None), None)
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{file}: the names of its ClassLabel are no list of names")
    return [name_of(name, f"{file}: its ClassLabel") for name in names]


def _find_key(tree: Any, key: str) -> Any:
    """The first value under `key`, however deep; None where there is none."""
    if not isinstance(tree, dict):
        return None
    if key in tree:
        return tree[key]
    found = (_find_key(value, key) for value in tree.values())
    return next((value for value in found if value is not None), None)
