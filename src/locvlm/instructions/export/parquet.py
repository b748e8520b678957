"""Our own columns with the picture as `datasets` has it: locations are numbers, in original pixels.

With the pictures' files inside, the one file is the whole data set; else it has their paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from locvlm.instructions.dataset import row_of, schema
from locvlm.instructions.export.base import Options, Record, Sample
from locvlm.instructions.export.huggingface import picture, picture_type, write_parquet

NAME = "parquet"
WRITTEN = False
MARKS = ()


def write(samples: Iterable[Sample], out: Path, options: Options) -> None:
    """Write the file `out`."""
    write_parquet((_row(sample, options) for sample in samples), _schema(), out)


def _row(sample: Sample, options: Options) -> Record:
    embedded = {"bytes": None, "path": str(sample.path)}
    if options.with_images:
        embedded = picture(sample.path)
    return row_of(sample.conversation) | {"image": embedded}


def _schema() -> Any:
    import pyarrow as pa

    ours = schema()
    return ours.set(ours.get_field_index("image"), pa.field("image", picture_type()))
