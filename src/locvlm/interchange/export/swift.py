"""ms-swift's JSON lines, whose locations stay numbers: it writes them as each model needs.

    {"messages": [{"role": "user", "content": "<image>Where is the dog?"},
                  {"role": "assistant", "content": "It is located at <bbox>"}],
     "images": ["/photos/a.jpg"], "objects": {"ref": [], "bbox": [[10, 120, 30, 145]]},
     "width": 640, "height": 480}

``bbox`` is in original pixels, ``[x1, y1, x2, y2]`` or ``[x, y]``. ``ref`` stays empty: what a
location is about stands in the words of its question already. Clips are "videos", and <video>.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from locvlm.geometry import coords_of
from locvlm.instructions.base import Instruction
from locvlm.instructions.render import LOC, REPR
from locvlm.interchange.export.base import IMAGE, ExportOptions, ExportSample, ExportTarget, Record
from locvlm.interchange.export.json_records import write_records

BBOX = "<bbox>"
RESERVED = (IMAGE, BBOX, "<ref-object>", "<video>", "<audio>", "<cot-process>", "<start-image>")


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`, a record per line."""
    write_records(map(_to_record, samples), out, lines=True)


def _to_record(sample: ExportSample) -> Record:
    items = sample.conversation.instructions
    messages = []
    for number, item in enumerate(items):
        question, answer = (
            _with_placeholders(text, item, sample) for text in (item.question, item.answer)
        )
        mark = "" if number else sample.mark
        messages += [
            {"role": "user", "content": mark + question},
            {"role": "assistant", "content": answer},
        ]
    key = "videos" if sample.is_clip else "images"
    record = {"messages": messages, key: [str(sample.path)], **sample.size}
    boxes = [coords_of(each) for item in items for each in item.locations]
    return record | ({"objects": {"ref": [], "bbox": boxes}} if boxes else {})


def _with_placeholders(text: str, item: Instruction, sample: ExportSample) -> str:
    return text.replace(LOC, BBOX).replace(REPR, sample.coordinates.repr_of(item.kind))


TARGET = ExportTarget(
    name="swift",
    write=write,
    reserved=RESERVED,
    as_text=False,
    takes_clips=True,
    trainer=("swift", "sft", "--model", "MODEL", "--dataset"),
    keys=frozenset({"messages", "images", "videos", "width", "height", "objects"}),
)
