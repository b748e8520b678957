"""From texts with coordinates to templates and locations: the inverse of rendering."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from operator import ne
from typing import Any, Literal, NamedTuple

import msgspec

from locvlm.coordinates import CoordinateFormat, ParseReport
from locvlm.coordinates.json_dialect import lead_of
from locvlm.geometry import Frame, Location, Point, Size, location_from
from locvlm.instructions.base import MIXED, Instruction, LocationKind
from locvlm.instructions.render import LOC, REPR
from locvlm.interchange.plausibility import Plausibility
from locvlm.records.turns import Message

OTHER_SIZE = "records whose objects name another size than their picture's, taken as its pixels"
BBOX, REF = "<bbox>", "<ref-object>"  # ms-swift's placeholders of locations and their names


class LocatedMessage(NamedTuple):
    """A message whose locations are data."""

    role: str
    text: str  # `{loc}` for each location
    locations: tuple[Location, ...]  # original pixels
    has_text: bool = True


def parse_message(
    turn: Message,
    coordinates: CoordinateFormat,
    frame: Frame,
    drops: Counter[str],
    found: ParseReport | None = None,
) -> LocatedMessage:
    """A message whose coordinates are text. Counted: what is clipped, and what stays text.

    `found` is what was read in it, if it was.
    """
    found = found or coordinates.parse_report(turn.text, frame)
    drops["locations clipped to the picture"] += found.n_clipped
    drops[unparsed_reason(coordinates)] += found.n_malformed - _count_descriptions(
        turn.text, coordinates, frame
    )
    parts, done = [], 0
    for start, end in found.spans:
        parts += [turn.text[done:start], lead_of(turn.text, (start, end)), LOC]
        done = end
    text = "".join(parts) + turn.text[done:]
    return LocatedMessage(turn.role, text, tuple(found.locations), turn.has_text)


def unparsed_reason(coordinates: CoordinateFormat) -> str:
    """The reason under which texts are counted that look like locations and are none."""
    return f"groups of numbers that are no {coordinates.name} location, kept as text"


def _count_descriptions(text: str, coordinates: CoordinateFormat, frame: Frame) -> int:
    """How often the format's own description of itself was taken for a malformed location."""
    return sum(
        text.count(words) * coordinates.parse_report(words, frame).n_malformed
        for words in set(map(coordinates.repr_of, coordinates.kinds))
    )


class SwiftObjects(msgspec.Struct, frozen=True):
    """ms-swift's locations beside the text: xyxy or xy each."""

    bbox: tuple[tuple[float, ...], ...] = ()
    ref: tuple[str, ...] | None = None
    bbox_type: Literal["real", "norm1"] | None = None  # original pixels, or shares of the picture

    def locations(self, size: Size) -> list[Location]:
        """The locations in original pixels; of a quadrilateral the upright box around it.

        Raises ValueError where one is none.
        """
        unit = size if self.bbox_type == "norm1" else (1, 1)
        scaled = [[n * unit[i % 2] for i, n in enumerate(box)] for box in self.bbox]
        return [location_from(_upright(box)) for box in scaled]


_Numbers = tuple[float, ...]
_UNITS = {"real": None, "norm_1": 1, "norm1": 1, "norm_1000": 1000}  # of a side; None: pixels


class OlderObject(msgspec.Struct, frozen=True):
    """One of ms-swift 2's locations; its rows hold a list of them, as JSON in a string."""

    bbox: tuple[Any, ...]  # one, or several
    caption: str = ""
    bbox_type: Literal["real", "norm_1", "norm1", "norm_1000"] = "real"

    def boxes(self, size: Size) -> list[_Numbers]:
        """In original pixels. Raises ValueError where one is none."""
        several = self.bbox and not isinstance(self.bbox[0], int | float)
        boxes = msgspec.convert(self.bbox if several else (self.bbox,), list[_Numbers])
        steps = _UNITS[self.bbox_type]
        if steps is None:
            return boxes
        return [tuple(n * size[i % 2] / steps for i, n in enumerate(box)) for box in boxes]


def _read_objects(objects: object, size: Size) -> SwiftObjects:
    """Of either version. Raises ValueError where it is neither."""
    try:
        if isinstance(objects, str):
            objects = msgspec.json.decode(objects)
        if not isinstance(objects, list):
            return msgspec.convert(objects, SwiftObjects)
        older = msgspec.convert(objects, list[OlderObject])
        boxes = tuple(box for each in older for box in each.boxes(size))
        return SwiftObjects(boxes, tuple(each.caption for each in older))
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def _says_other_size(objects: object, size: Size) -> bool:
    """Whether ms-swift's objects name a width or height that their picture does not have."""
    if not isinstance(objects, dict):
        return False
    said = (objects.get("width"), objects.get("height"))
    firsts = [each[0] if isinstance(each, list) and each else each for each in said]
    pairs = zip(firsts, size, strict=True)
    return any(isinstance(n, int | float) and n != edge for n, edge in pairs)


def _numbers(objects: SwiftObjects) -> Sequence[Sequence[float]]:
    """As they would be in pixels: shares that are said to be some are no news."""
    return [[2.0 + n for n in box] for box in objects.bbox] if objects.bbox_type else objects.bbox


def _upright(box: Sequence[float]) -> Sequence[float]:
    if len(box) != 8:
        return box
    xs, ys = box[::2], box[1::2]
    return [min(xs), min(ys), max(xs), max(ys)]


def fill_objects(
    turns: Sequence[Message],
    objects: object,
    size: Size,
    drops: Counter[str],
    plausibility: Plausibility | None = None,
) -> list[LocatedMessage]:
    """ms-swift's messages, in which `<bbox>` and `<ref-object>` stand for the record's `objects`.

    Raises:
        ValueError: `objects` has another form, one of them is no location, or there are not as
            many as placeholders.
    """
    found = _read_objects(objects, size)
    if not found.bbox_type and _says_other_size(objects, size):
        drops[OTHER_SIZE] += 1
    if quads := sum(len(box) == 8 for box in found.bbox):
        drops["quadrilaterals, taken as the upright boxes around them"] += quads
    whole = found.locations(size)
    if plausibility is not None:
        plausibility.add_objects(_numbers(found), whole, size)
    locations = [location.clip(*size) for location in whole]
    drops["locations clipped to the picture"] += sum(map(ne, locations, whole))
    tags = "".join(turn.text for turn in turns)
    if tags.count(BBOX) != len(locations) or tags.count(REF) > len(found.ref or ()):
        raise ValueError(f"{len(locations)} objects do not fill {tags.count(BBOX)} {BBOX}")
    unused, refs = iter(locations), iter(found.ref or ())
    return [
        LocatedMessage(
            turn.role,
            re.sub(REF, lambda _: next(refs), turn.text).replace(BBOX, LOC),
            tuple(islice(unused, turn.text.count(BBOX))),
            turn.has_text,
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
    question_text, answer_text = question.text, answer.text
    if kind in coordinates.kinds:
        words = coordinates.repr_of(kind)
        question_text, answer_text = (t.replace(words, REPR) for t in (question_text, answer_text))
    return Instruction(MIXED, question_text, answer_text, locations, kind)


def _guess_kind(
    text: str, locations: Sequence[Location], coordinates: CoordinateFormat
) -> LocationKind:
    """What the text asks for, else what its first location is."""
    named = [kind for kind in coordinates.kinds if coordinates.repr_of(kind) in text]
    if len(named) == 1:
        return named[0]
    return "point" if locations and isinstance(locations[0], Point) else "box"
