r"""LLaVA's JSON: one conversation per picture, whose name is relative to ``--image_folder``.

Qwen's own fine-tuning code reads it without an id; names are relative to its ``data_path``.

A clip stands under "video", and as <video> in the text.

{"id": "0", "image": "a.jpg", "width": 640, "height": 480, "conversations": [
    {"from": "human", "value": "<image>\nWhere is the dog?"},
    {"from": "gpt", "value": "It is located at (4,52,13,63)"}, …]}
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from locvlm.interchange.export.base import (
    IMAGE,
    VIDEO,
    ExportOptions,
    ExportSample,
    ExportTarget,
    Record,
)
from locvlm.interchange.export.json_records import write_records


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`."""
    records = ({"id": str(n), **to_record(sample)} for n, sample in enumerate(samples))
    write_records(records, out, lines=out.suffix == ".jsonl")


def to_record(sample: ExportSample) -> Record:
    """One conversation, without an id."""
    messages = []
    for number, (question, answer) in enumerate(sample.turns):
        mark = "" if number else f"{sample.mark}\n"
        messages += [
            {"from": "human", "value": mark + question},
            {"from": "gpt", "value": answer},
        ]
    key = "video" if sample.is_clip else "image"
    return {key: sample.conversation.image, **sample.size, "conversations": messages}


def write_qwen(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`, without ids."""
    write_records(map(to_record, samples), out, lines=out.suffix == ".jsonl")


KEYS = frozenset({"image", "video", "width", "height", "conversations"})
TARGET = ExportTarget(
    name="llava", write=write, reserved=(IMAGE,), takes_clips=True, keys=KEYS | {"id"}
)
QWEN = ExportTarget(
    name="qwen",
    dialects=("qwen3-vl", "qwen2.5-vl", "qwen2-vl"),
    write=write_qwen,
    reserved=(IMAGE, VIDEO),
    takes_clips=True,
    keys=KEYS,
)
