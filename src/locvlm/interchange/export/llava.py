r"""LLaVA's JSON: one conversation per picture, whose name is relative to ``--image_folder``.

{"id": "0", "image": "a.jpg", "width": 640, "height": 480, "conversations": [
    {"from": "human", "value": "<image>\nWhere is the dog?"},
    {"from": "gpt", "value": "It is located at (4,52,13,63)"}, …]}
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from locvlm.interchange.export.base import IMAGE, ExportOptions, ExportSample, ExportTarget, Record
from locvlm.interchange.export.json_records import write_records


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`."""
    write_records(({"id": str(n), **to_record(sample)} for n, sample in enumerate(samples)), out)


def to_record(sample: ExportSample) -> Record:
    """One conversation, without an id."""
    messages = []
    for number, (question, answer) in enumerate(sample.turns):
        image = "" if number else f"{IMAGE}\n"
        messages += [
            {"from": "human", "value": image + question},
            {"from": "gpt", "value": answer},
        ]
    return {"image": sample.conversation.image, **sample.size, "conversations": messages}


TARGET = ExportTarget(name="llava", write=write, reserved=(IMAGE,))
