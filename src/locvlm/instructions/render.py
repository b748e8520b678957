"""The last step from geometry to text."""

from __future__ import annotations

from collections.abc import Iterator

from locvlm.coordinates import CoordinateFormat
from locvlm.geometry import Frame, Size
from locvlm.instructions.base import Instruction

LOC, REPR = "{loc}", "{repr}"


def render(
    instruction: Instruction, coordinates: CoordinateFormat, frame: Frame | Size
) -> tuple[str, str]:
    """Question and answer as the model reads them.

    Raises:
        ValueError: the number of `{loc}` is not the number of locations.
    """
    locations = iter(coordinates.encode(each, frame) for each in instruction.locations)
    described = coordinates.repr_of(instruction.kind)
    texts = (instruction.question, instruction.answer)
    if sum(text.count(LOC) for text in texts) != len(instruction.locations):
        raise ValueError(
            f"{instruction.objective}: {len(instruction.locations)} locations do not fill "
            f"{texts[0]!r} and {texts[1]!r}"
        )
    question, answer = (_fill_locations(text, locations).replace(REPR, described) for text in texts)
    return question, answer


def _fill_locations(text: str, locations: Iterator[str]) -> str:
    head, *tail = text.split(LOC)
    return head + "".join(next(locations) + part for part in tail)
