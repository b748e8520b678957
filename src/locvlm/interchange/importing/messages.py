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
from locvlm.geometry import Frame, Location, Point, Size, location_from
from locvlm.instructions.base import MIXED, Instruction, LocationKind
from locvlm.instructions.render import LOC, REPR
from locvlm.records.turns import Message

BBOX, REF = "<bbox>", "<ref-object>"  # ms-swift's places of locations and their names


class LocatedMessage(NamedTuple):
    """A message whose locations are data."""

    role: str
    text: str  # `{loc}` for each location
    places: tuple[Location, ...]  # original pixels


def parse_message(
    turn: Message, form: CoordinateFormat, frame: Frame, drops: Counter[str]
) -> LocatedMessage:
    """A message whose coordinates are text. Counted: what is clipped, and what stays text."""
    found = form.parse_report(turn.text, frame)
    drops["locations clipped to the picture"] += found.n_clipped
    drops[unparsed_reason(form)] += found.n_malformed - _count_descriptions(turn.text, form, frame)
    parts, done = [], 0
    for start, end in found.spans:
        parts += [turn.text[done:start], LOC]
        done = end
    return LocatedMessage(turn.role, "".join(parts) + turn.text[done:], tuple(found.locations))


def unparsed_reason(form: CoordinateFormat) -> str:
    """The reason under which texts are counted that look like locations and are none."""
    return f"groups of numbers that are no {form.name} location, kept as text"


def _count_descriptions(text: str, form: CoordinateFormat, frame: Frame) -> int:
    """How often the format's own description of itself was taken for a malformed location."""
    return sum(
        text.count(words) * form.parse_report(words, frame).n_malformed
        for words in {form.repr_of("box"), form.repr_of("point")}
    )


class SwiftObjects(msgspec.Struct, frozen=True):
    """ms-swift's locations beside the text: xyxy or xy each."""

    bbox: tuple[tuple[float, ...], ...] = ()
    ref: tuple[str, ...] | None = None
    bbox_type: Literal["real", "norm1"] | None = None  # original pixels, or shares of the picture

    def places(self, size: Size) -> list[Location]:
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
    places = [place.clip(*size) for place in found.places(size)]
    drops["locations clipped to the picture"] += sum(map(ne, places, found.places(size)))
    tags = "".join(turn.text for turn in turns)
    if tags.count(BBOX) != len(places) or tags.count(REF) > len(found.ref or ()):
        raise ValueError(f"{len(places)} objects do not fill {tags.count(BBOX)} {BBOX}")
    unused, refs = iter(places), iter(found.ref or ())
    return [
        LocatedMessage(
            turn.role,
            re.sub(REF, lambda _: next(refs), turn.text).replace(BBOX, LOC),
            tuple(islice(unused, turn.text.count(BBOX))),
        )
        for turn in turns
    ]


def make_instruction(
    question: LocatedMessage, answer: LocatedMessage, form: CoordinateFormat
) -> Instruction | None:
    """The instruction; None where the texts have a `{loc}` or `{repr}` of their own.

    Where a text names the format as `form` describes itself, it gets a `{repr}` instead, so that
    another format can be named there.
    """
    places = question.places + answer.places
    both = question.text + answer.text
    if both.count(LOC) != len(places) or REPR in both:
        return None
    kind = _guess_kind(both, places, form)
    asked, said = (t.text.replace(form.repr_of(kind), REPR) for t in (question, answer))
    return Instruction(MIXED, asked, said, places, kind)


def _guess_kind(text: str, places: Sequence[Location], form: CoordinateFormat) -> LocationKind:
    """What the text asks for, else what its first location is."""
    kinds: tuple[LocationKind, LocationKind] = ("box", "point")
    named = [kind for kind in kinds if form.repr_of(kind) in text]
    if len(named) == 1:
        return named[0]
    return "point" if places and isinstance(places[0], Point) else "box"
