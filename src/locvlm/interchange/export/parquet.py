"""Our own columns with the picture as `datasets` has it: locations are numbers, in original pixels.

With the pictures' files inside, the one file is the whole data set; else it has their paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from locvlm.instructions.arrow import SCHEMA, encode_conversations
from locvlm.interchange.export.base import ExportOptions, ExportSample, ExportTarget, Record
from locvlm.interchange.export.huggingface import image_struct, image_type, write_parquet


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`."""
    write_parquet((_row(sample, options) for sample in samples), _schema(), out)


def _row(sample: ExportSample, options: ExportOptions) -> Record:
    embedded = {"bytes": None, "path": str(sample.path)}
    if options.with_images:
        embedded = image_struct(sample.path)
    row: Record = encode_conversations([sample.conversation]).to_pylist()[0]
    return row | {"image": embedded}


def _schema() -> Any:
    import pyarrow as pa

    return SCHEMA.set(SCHEMA.get_field_index("image"), pa.field("image", image_type()))


TARGET = ExportTarget(name="parquet", write=write, as_text=False, can_embed_images=True)
