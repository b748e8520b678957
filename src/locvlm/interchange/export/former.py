"""Whether a file that is there is a former export to the same trainer, and so may be replaced."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.instructions.dataset import DATA, FACES_LOG, MANIFEST, OBJECTS
from locvlm.interchange.export.base import ExportTarget
from locvlm.interchange.export.huggingface import EXPORTED
from locvlm.io.outputs import Reads, check_output_file, check_output_folder, read_mark
from locvlm.records.splitting import iterate_records

SIZE = {"width", "height"}  # of the picture: hardly another tool writes both into each record


def check_export(out: Path, target: ExportTarget, data: Path, others: list[Path]) -> None:
    """Raise InputError unless a data set may be exported to `out`.

    Args:
        out: file or folder.
        target: the trainer.
        data: folder of the data set.
        others: what else is read, such as the folder of the pictures.
    """
    if target.is_folder:
        check_output_folder(out, Reads([data, *others]), is_own=_has_mark)
        return
    files = [data / name for name in (DATA, OBJECTS, MANIFEST, FACES_LOG)]
    check_output_file(
        out,
        Reads([*files, *others]),
        is_former=partial(_is_former, target),
        form=f"what locvlm export --to {target.name} writes",
    )


def _is_former(target: ExportTarget, path: Path) -> bool:
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    return _is_exported_parquet(path) if is_parquet else _is_exported_text(target, path)


def _is_exported_parquet(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return EXPORTED in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def _is_exported_text(target: ExportTarget, path: Path) -> bool:
    """By the keys of its first record."""
    try:
        record: Any = msgspec.json.decode(next(iter(iterate_records(path)))[0])
    except (InputError, msgspec.DecodeError, StopIteration):
        return False
    return isinstance(record, dict) and SIZE <= record.keys() <= target.keys


def _has_mark(folder: Path) -> bool:
    """Whose it is, `fill_output_folder` asks when it is written."""
    return read_mark(folder) is not None
