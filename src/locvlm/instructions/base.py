"""Instructions: questions and answers whose geometry is still data.

A question or an answer is a template in which `{loc}` stands for a location and `{repr}` for the
coordinate format's own description of itself. They are filled in when a row is read (`render`), by
the chosen format and the model's frame, so one data set serves every format and every model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from locvlm.geometry import Box, Location

LocationKind = Literal["box", "point"]

MIXED = "mixed"  # the objective of what other trainers' data ask: it may be anything

_SIDES = {"left": "right", "Left": "Right", "LEFT": "RIGHT"}
_SIDES |= {right: left for left, right in _SIDES.items()}
_SIDE = re.compile(rf"\b(?:{'|'.join(_SIDES)})\b")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One question with its answer."""

    objective: str  # the name of what made it: "locpred", "negpred", …
    question: str
    answer: str  # several locations in it run from left to right, see `left_to_right`
    locations: tuple[Location, ...] = ()  # original pixels; one per `{loc}`, question first
    kind: LocationKind = "box"  # what `{repr}` describes
    evidence: tuple[Location, ...] = ()  # original pixels; what the answer is about, never written
    category: str = field(default="", compare=False)  # for balancing in a build; not kept on disk

    @property
    def grounds(self) -> tuple[Location, ...]:
        """What one has to look at to answer, original pixels: the evidence, else the locations."""
        return self.evidence or self.locations


@dataclass(frozen=True, slots=True)
class Conversation:
    """All questions about one picture; no question depends on another."""

    image: str  # file name, relative to the folder of the pictures
    width: int  # pixels
    height: int
    instructions: tuple[Instruction, ...]
    source: str = ""  # the data set it was made from


def flip(conversation: Conversation) -> Conversation:
    """The same about the mirrored picture: locations move, the words left and right swap."""
    return replace(
        conversation,
        instructions=tuple(
            replace(
                item,
                question=swap_sides(item.question),
                answer=swap_sides(item.answer),
                locations=_flip_locations(item, conversation.width),
                evidence=tuple(each.flip(conversation.width) for each in item.evidence),
            )
            for item in conversation.instructions
        ),
    )


def left_to_right(locations: Iterable[Location]) -> tuple[Location, ...]:
    """In the order of their centers' x, where that is equal of their y."""
    return tuple(sorted(locations, key=_center))


def _center(location: Location) -> tuple[float, float]:
    point = location.center if isinstance(location, Box) else location
    return point.x, point.y


def _flip_locations(item: Instruction, width: int) -> tuple[Location, ...]:
    """The locations mirrored, those of the answer in order again."""
    flipped = [each.flip(width) for each in item.locations]
    in_question = len(flipped) - item.answer.count("{loc}")
    return (*flipped[:in_question], *left_to_right(flipped[in_question:]))


def swap_sides(text: str) -> str:
    """`text` with the words left and right exchanged."""
    return _SIDE.sub(lambda word: _SIDES[word[0]], text)
