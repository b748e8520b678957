"""Conversations as Arrow rows: what Arrow's own conversion would give."""

import pyarrow as pa

from locvlm.geometry import Box, Point
from locvlm.instructions.arrow import SCHEMA, decode_conversations, encode_conversations
from locvlm.instructions.base import Conversation, Instruction

BARE = Conversation("b.jpg", 1, 1, ())
FULL = Conversation(
    "a.jpg",
    640,
    480,
    (
        Instruction("revloc", "At {loc}?", "Ä dog.", (Box(0.1, 1 / 3, 2, 480),)),
        Instruction("negpred", "Where?", "Nowhere", kind="point"),
        Instruction("x", "", "", (Point(1, 2), Box(1, 2, 3, 4)), evidence=(Point(5, 6),)),
    ),
    "instances.json",
)


def test_no_conversations() -> None:
    rows = encode_conversations([])
    assert (rows.num_rows, rows.schema) == (0, SCHEMA)
    assert list(decode_conversations(rows)) == []


def test_round_trip() -> None:
    made = [BARE, FULL, BARE, FULL]
    assert list(decode_conversations(encode_conversations(made))) == made
    assert (
        list(decode_conversations(pa.Table.from_batches([encode_conversations(made)] * 2)))
        == made * 2
    )


def test_as_arrow_would_write_it() -> None:
    rows = encode_conversations([BARE, FULL])
    rows.validate(full=True)
    assert pa.Table.from_pylist(rows.to_pylist(), SCHEMA) == pa.Table.from_batches([rows])
    assert rows.to_pylist()[1]["instructions"][2]["locations"] == [[1, 2], [1, 2, 3, 4]]
