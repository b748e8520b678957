"""The JSON of Qwen's own fine-tuning code: LLaVA's form without an id.

Pictures' names are relative to the data set's ``data_path``. JSON lines are read as well, where
the file's name ends in ``.jsonl``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from locvlm.interchange.export import llava
from locvlm.interchange.export.base import IMAGE, ExportOptions, ExportSample, ExportTarget
from locvlm.interchange.export.json_records import write_records


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`."""
    write_records(map(llava.to_record, samples), out)


TARGET = ExportTarget(name="qwen", write=write, reserved=(IMAGE, "<video>"))
