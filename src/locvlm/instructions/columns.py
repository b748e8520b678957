"""Conversations as Arrow columns and back: one row each, its instructions nested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from locvlm.geometry import Location, coords_of, location_from
from locvlm.instructions.base import Conversation, Instruction

_TEXTS = ("objective", "question", "answer", "kind")
_PLACES = ("locations", "evidence")
_NUMBERS = pa.list_(pa.list_(pa.float64()))  # [[x1, y1, x2, y2] or [x, y], …], original pixels
_INSTRUCTION = pa.struct({**dict.fromkeys(_TEXTS, pa.string()), **dict.fromkeys(_PLACES, _NUMBERS)})
SCHEMA = pa.schema(
    {
        "image": pa.string(),
        "width": pa.int64(),
        "height": pa.int64(),
        "source": pa.string(),
        "instructions": pa.list_(_INSTRUCTION),
    }
)


def record_batch(conversations: Sequence[Conversation]) -> pa.RecordBatch:
    """The conversations as rows of `SCHEMA`."""
    items = [item for conversation in conversations for item in conversation.instructions]
    columns = [pa.array([getattr(item, name) for item in items], pa.string()) for name in _TEXTS]
    columns += [_places([getattr(item, name) for item in items]) for name in _PLACES]
    instructions = pa.StructArray.from_arrays(columns, fields=list(_INSTRUCTION))
    ends = _ends([len(conversation.instructions) for conversation in conversations])
    plain = [
        pa.array([getattr(conversation, name) for conversation in conversations], kind)
        for name, kind in zip(SCHEMA.names[:-1], SCHEMA.types[:-1], strict=True)
    ]
    nested = pa.ListArray.from_arrays(ends, instructions)
    return pa.RecordBatch.from_arrays([*plain, nested], schema=SCHEMA)


def conversations(table: pa.Table | pa.RecordBatch) -> Iterator[Conversation]:
    """The rows of a table of `SCHEMA`."""
    for row in table.to_pylist():
        yield _conversation(row)


def _places(lists: Sequence[Sequence[Location]]) -> pa.ListArray:
    """For each instruction its locations, as numbers."""
    coords = [coords_of(place) for places in lists for place in places]
    numbers = pa.array(np.fromiter(chain.from_iterable(coords), np.float64))
    inner = pa.ListArray.from_arrays(_ends([len(numbers) for numbers in coords]), numbers)
    return pa.ListArray.from_arrays(_ends([len(places) for places in lists]), inner)


def _ends(lengths: Sequence[int]) -> pa.Int32Array:
    """Arrow's offsets of lists with these lengths."""
    return pa.array(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), pa.int32())


def _conversation(row: dict[str, Any]) -> Conversation:
    items = []
    for item in row.pop("instructions"):
        item.update({name: tuple(map(location_from, item[name])) for name in _PLACES})
        items.append(Instruction(**item))
    return Conversation(**row, instructions=tuple(items))
