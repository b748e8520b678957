"""Parquet that the `datasets` library opens with its pictures decoded.

`datasets` keeps a picture as a struct of its file's bytes and its name, and reads what a column
means from the schema's metadata: ``{"info": {"features": {"image": {"_type": "Image"}, …}}}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from locvlm.interchange.export.base import Record
from locvlm.io.atomic import atomic_write

EXPORTED = b"locvlm-export"  # a key of the schema's metadata: who wrote the file
ROWS = 100  # in a row group: few, for each holds its pictures


def image_type() -> Any:
    """The Arrow type of a picture."""
    import pyarrow as pa

    return pa.struct({"bytes": pa.binary(), "path": pa.string()})


def image_struct(path: Path) -> Record:
    """A picture with its file's bytes, as they are."""
    return {"bytes": path.read_bytes(), "path": path.name}


def write_parquet(rows: Iterable[Record], schema: Any, out: Path) -> None:
    """Write rows to a Parquet file, a hundred in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {"info": {"features": {field.name: _feature(field.type) for field in schema}}}
    schema = schema.with_metadata({"huggingface": msgspec.json.encode(features), EXPORTED: b"1"})
    with atomic_write(out) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            writer.write_table(pa.Table.from_pylist(batch, schema))


def _feature(kind: Any) -> Any:
    """What `datasets` calls an Arrow type."""
    import pyarrow as pa

    if kind == image_type():
        return {"_type": "Image"}
    if pa.types.is_list(kind):
        return [_feature(kind.value_type)]  # a form that old and new versions read
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"_type": "Value", "dtype": {"double": "float64"}.get(str(kind), str(kind))}


def _batches(rows: Iterable[Record]) -> Iterator[list[Record]]:
    rows = iter(rows)
    while batch := list(islice(rows, ROWS)):
        yield batch
