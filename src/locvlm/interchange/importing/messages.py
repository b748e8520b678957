"""From texts with coordinates to templates and locations: the inverse of rendering."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from operator import ne
from typing import Literal, NamedTuple

import msgspec

from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.json_dialect import lead_of
from locvlm.geometry import Frame, Location, Point, Size, location_from
from locvlm.instructions.base import MIXED, Instruction, LocationKind
from locvlm.instructions.render import LOC, REPR
from locvlm.records.turns import Message

BBOX, REF = "<bbox>", "<ref-object>"  # ms-swift's placeholders of locations and their names


class LocatedMessage(NamedTuple):
    """A message whose locations are data."""

    role: str
    text: str  # `{loc}` for each location
    locations: tuple[Location, ...]  # original pixels


def parse_message(
    turn: Message, coordinates: CoordinateFormat, frame: Frame, drops: Counter[str]
) -> LocatedMessage:
    """A message whose coordinates are text. Counted: what is clipped, and what stays text."""
    found = coordinates.parse_report(turn.text, frame)
    drops["locations clipped to the picture"] += found.n_clipped
    drops[unparsed_reason(coordinates)] += found.n_malformed - _count_descriptions(
        turn.text, coordinates, frame
    )
    parts, done = [], 0
    for start, end in found.spans:
        parts += [turn.text[done:start], lead_of(turn.text, (start, end)), LOC]
        done = end
    return LocatedMessage(turn.role, "".join(parts) + turn.text[done:], tuple(found.locations))


def unparsed_reason(coordinates: CoordinateFormat) -> str:
    """The reason under which texts are counted that look like locations and are none."""
    return f"groups of numbers that are no {coordinates.name} location, kept as text"


def _count_descriptions(text: str, coordinates: CoordinateFormat, frame: Frame) -> int:
    """How often the format's own description of itself was taken for a malformed location."""
    return sum(
        text.count(words) * coordinates.parse_report(words, frame).n_malformed
        for words in {coordinates.repr_of("box"), coordinates.repr_of("point")}
    )


class SwiftObjects(msgspec.Struct, frozen=True):
    """ms-swift's locations beside the text: xyxy or xy each."""

    bbox: tuple[tuple[float, ...], ...] = ()
    ref: tuple[str, ...] | None = None
    bbox_type: Literal["real", "norm1"] | None = None  # original pixels, or shares of the picture

    def locations(self, size: Size) -> list[Location]:
        """The locations in original pixels. Raises ValueError where one is none."""
        unit = size if self.bbox_type == "norm1" else (1, 1)
        return [location_from([n * unit[i % 2] for i, n in enumerate(box)]) for box in self.bbox]


def fill_objects(
    turns: Sequence[Message], objects: object, size: Size, drops: Counter[str]
) -> list[LocatedMessage]:
    """ms-swift's messages, in which `<bbox>` and `<ref-object>` stand for the record's `objects`.

    Raises:
        ValueError: `objects` has another form, one of them is no location, or there are not as
            many as placeholders.
    """
    try:
        found = msgspec.convert(objects, SwiftObjects)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
    locations = [location.clip(*size) for location in found.locations(size)]
    drops["locations clipped to the picture"] += sum(map(ne, locations, found.locations(size)))
    tags = "".join(turn.text for turn in turns)
    if tags.count(BBOX) != len(locations) or tags.count(REF) > len(found.ref or ()):
        raise ValueError(f"{len(locations)} objects do not fill {tags.count(BBOX)} {BBOX}")
    unused, refs = iter(locations), iter(found.ref or ())
    return [
        LocatedMessage(
            turn.role,
            re.sub(REF, lambda _: next(refs), turn.text).replace(BBOX, LOC),
            tuple(islice(unused, turn.text.count(BBOX))),
        )
        for turn in turns
    ]


def make_instruction(
    question: LocatedMessage, answer: LocatedMessage, coordinates: CoordinateFormat
) -> Instruction | None:
    """The instruction; None where the texts have a `{loc}` or `{repr}` of their own.

    Where a text names the format as it describes itself, it gets a `{repr}` instead, so that
    another format can be named there.
    """
    locations = question.locations + answer.locations
    both = question.text + answer.text
    if both.count(LOC) != len(locations) or REPR in both:
        return None
    kind = _guess_kind(both, locations, coordinates)
    question_text, answer_text = (
        t.text.replace(coordinates.repr_of(kind), REPR) for t in (question, answer)
    )
    return Instruction(MIXED, question_text, answer_text, locations, kind)


def _guess_kind(
    text: str, locations: Sequence[Location], coordinates: CoordinateFormat
) -> LocationKind:
    """What the text asks for, else what its first location is."""
    kinds: tuple[LocationKind, LocationKind] = ("box", "point")
    named = [kind for kind in kinds if coordinates.repr_of(kind) in text]
    if len(named) == 1:
        return named[0]
    return "point" if locations and isinstance(locations[0], Point) else "box"
