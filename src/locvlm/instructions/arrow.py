"""Conversations as Arrow columns and back: one row each, its instructions nested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.geometry import Location, coords_of, location_from
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.batch_result import BatchResult
from locvlm.instructions.instruction_columns import InstructionColumns, TextColumn

Lengths: TypeAlias = Sequence[int] | NDArray[np.int64]

_TEXT_FIELDS = ("objective", "question", "answer", "kind")
_LOCATION_FIELDS = ("locations", "evidence")
_NUMBERS = pa.list_(pa.list_(pa.float64()))  # [[x1, y1, x2, y2] or [x, y], …], original pixels
_INSTRUCTION = pa.struct(
    {**dict.fromkeys(_TEXT_FIELDS, pa.string()), **dict.fromkeys(_LOCATION_FIELDS, _NUMBERS)}
)
SCHEMA = pa.schema(
    {
        "image": pa.string(),
        "width": pa.int64(),
        "height": pa.int64(),
        "source": pa.string(),
        "instructions": pa.list_(_INSTRUCTION),
    }
)


def encode_conversations(conversations: Sequence[Conversation]) -> pa.RecordBatch:
    """The conversations as rows of `SCHEMA`."""
    items = [item for conversation in conversations for item in conversation.instructions]
    counts = [len(conversation.instructions) for conversation in conversations]
    return _encode_rows(
        conversations,
        [row.source for row in conversations],
        _encode_list(items),
        counts,
    )


def encode_batch(result: BatchResult, source: str) -> pa.RecordBatch:
    """What was made of some pictures, as rows of `SCHEMA`."""
    image_index = np.concatenate([group.image_index for group in result.groups])
    groups = [
        _encode_columns(group)
        if isinstance(group, InstructionColumns)
        else _encode_list(group.items)
        for group in result.groups
    ]
    instructions = pa.concat_arrays(groups).take(pa.array(np.argsort(image_index, kind="stable")))
    counts = np.bincount(image_index, minlength=len(result.images))
    used = np.flatnonzero(counts)
    images = [result.images[row] for row in used.tolist()]
    return _encode_rows(images, [source] * len(images), instructions, counts[used])


def decode_conversations(table: pa.Table | pa.RecordBatch) -> Iterator[Conversation]:
    """The rows of a table of `SCHEMA`."""
    for row in table.to_pylist():
        yield _decode_conversation(row)


def _encode_rows(
    images: Sequence[Conversation | AnnotatedImage],
    sources: Sequence[str],
    instructions: pa.StructArray,
    counts: Lengths,
) -> pa.RecordBatch:
    """Pictures, each with its share of the instructions."""
    names = [item.image if isinstance(item, Conversation) else item.file_name for item in images]
    sizes = [[item.width for item in images], [item.height for item in images]]
    nested = pa.ListArray.from_arrays(_offsets(counts), instructions)
    columns = [names, *sizes, sources]
    plain = [pa.array(c, kind) for c, kind in zip(columns, SCHEMA.types[:-1], strict=True)]
    return pa.RecordBatch.from_arrays([*plain, nested], schema=SCHEMA)


def _encode_list(items: Sequence[Instruction]) -> pa.StructArray:
    columns = [
        pa.array([getattr(item, name) for item in items], pa.string()) for name in _TEXT_FIELDS
    ]
    columns += [
        _encode_locations([getattr(item, name) for item in items]) for name in _LOCATION_FIELDS
    ]
    return pa.StructArray.from_arrays(columns, fields=list(_INSTRUCTION))


def _encode_columns(group: InstructionColumns) -> pa.StructArray:
    kinds = TextColumn(group.is_point.astype(np.int64), ("box", "point"))
    texts = [_encode_texts(text) for text in (group.questions, group.answers, kinds)]
    if group.boxes is None:
        locations = _no_locations(len(group))
    else:
        lengths, numbers = group.location_numbers()
        inner = pa.ListArray.from_arrays(_offsets(lengths), pa.array(numbers))
        locations = pa.ListArray.from_arrays(_offsets(np.ones_like(lengths)), inner)
    objective = pa.repeat(pa.scalar(group.objective, pa.string()), len(group))
    columns = [objective, *texts, locations, _no_locations(len(group))]
    return pa.StructArray.from_arrays(columns, fields=list(_INSTRUCTION))


def _encode_texts(texts: TextColumn) -> pa.StringArray:
    return pa.array(texts.values, pa.string()).take(pa.array(texts.codes))


def _no_locations(count: int) -> pa.ListArray:
    """No location of so many instructions."""
    return pa.ListArray.from_arrays(_offsets([0] * count), pa.array([], _NUMBERS.value_type))


def _encode_locations(lists: Sequence[Sequence[Location]]) -> pa.ListArray:
    """For each instruction its locations, as numbers."""
    coords = [coords_of(each) for locations in lists for each in locations]
    numbers = pa.array(np.fromiter(chain.from_iterable(coords), np.float64))
    inner = pa.ListArray.from_arrays(_offsets([len(numbers) for numbers in coords]), numbers)
    return pa.ListArray.from_arrays(_offsets([len(locations) for locations in lists]), inner)


def _offsets(lengths: Lengths) -> pa.Int32Array:
    """Arrow's offsets of lists with these lengths."""
    return pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), pa.int32())


def _decode_conversation(row: dict[str, Any]) -> Conversation:
    items = []
    for item in row.pop("instructions"):
        item.update({name: tuple(map(location_from, item[name])) for name in _LOCATION_FIELDS})
        items.append(Instruction(**item))
    return Conversation(**row, instructions=tuple(items))
