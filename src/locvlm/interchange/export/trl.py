"""TRL's prompt and completion, for `SFTTrainer`: one row per question, loss on its answer.

    {"prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "…"}]}],
     "completion": [{"role": "assistant", "content": [{"type": "text", "text": "…"}]}],
     "images": ["/photos/a.jpg"]}

JSON lines with the pictures' paths, or Parquet with the pictures themselves. A conversation of
several questions becomes several rows, since only a row's last answer would be learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from locvlm.interchange.export.base import IMAGE, ExportOptions, ExportSample, ExportTarget, Record
from locvlm.interchange.export.huggingface import image_struct, image_type, write_parquet
from locvlm.interchange.export.json_records import write_records


def write(samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
    """Write the file `out`."""
    if options.with_images:
        embedded = (row | {"images": [image_struct(s.path)]} for s in samples for row in _rows(s))
        write_parquet(embedded, _schema(), out)
    else:
        write_records((row for sample in samples for row in _rows(sample)), out, lines=True)


def _rows(sample: ExportSample) -> Iterator[Record]:
    for question, answer in sample.turns:
        content = [{"type": "image"}, {"type": "text", "text": question}]
        yield {
            "prompt": [{"role": "user", "content": content}],
            "completion": [{"role": "assistant", "content": [{"type": "text", "text": answer}]}],
            "images": [str(sample.path)],
            **sample.size,
        }


def _schema() -> Any:
    import pyarrow as pa

    part = pa.struct({"type": pa.string(), "text": pa.string()})
    messages = pa.list_(pa.struct({"role": pa.string(), "content": pa.list_(part)}))
    return pa.schema(
        {
            "prompt": messages,
            "completion": messages,
            "images": pa.list_(image_type()),
            "width": pa.int64(),
            "height": pa.int64(),
        }
    )


TARGET = ExportTarget(
    name="trl",
    write=write,
    reserved=(IMAGE,),
    can_embed_images=True,
    keys=frozenset({"prompt", "completion", "images", "width", "height"}),
)
