r"""LLaVA's JSON: one conversation per picture, whose name is relative to ``--image_folder``.

{"id": "0", "image": "a.jpg", "width": 640, "height": 480, "conversations": [
    {"from": "human", "value": "<image>\nWhere is the dog?"},
    {"from": "gpt", "value": "It is located at (4,52,13,63)"}, …]}
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from locvlm.interchange.export.base import IMAGE, ExportOptions, ExportSample, Record
from locvlm.interchange.export.json_records import write_records

NAME = "llava"
WRITTEN = True
MARKS = (IMAGE,)


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`."""
    write_records(({"id": str(n), **record(sample)} for n, sample in enumerate(samples)), out)


def record(sample: ExportSample) -> Record:
    """One conversation, without an id."""
    said = []
    for number, (question, answer) in enumerate(sample.turns):
        picture = "" if number else f"{IMAGE}\n"
        said += [{"from": "human", "value": picture + question}, {"from": "gpt", "value": answer}]
    return {"image": sample.conversation.image, **sample.size, "conversations": said}
