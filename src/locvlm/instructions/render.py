"""The last step from geometry to text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.rewriting import Place, apply, place_of, rewrite
from locvlm.geometry import Frame, Size
from locvlm.instructions.base import Instruction

LOC, REPR = "{loc}", "{repr}"
_LOC = re.compile(re.escape(LOC))
# JSON or another form around the locations, by which it depends how they are written.
_IN_A_FORM = re.compile(
    r":\s*[\[\s]*\{loc\}|\[\s*\{loc\}|[>\"]\s*\{loc\}|<points?\s|(?:\{loc\}){2}"
)


def render(
    instruction: Instruction, coordinates: CoordinateFormat, frame: Frame | Size
) -> tuple[str, str]:
    """Question and answer as the model reads them.

    Raises:
        ValueError: the number of `{loc}` is not the number of locations.
    """
    places = (place_of(each, coordinates, frame) for each in instruction.locations)
    described = coordinates.repr_of(instruction.kind)
    texts = (instruction.question, instruction.answer)
    if sum(text.count(LOC) for text in texts) != len(instruction.locations):
        raise ValueError(
            f"{instruction.objective}: {len(instruction.locations)} locations do not fill "
            f"{texts[0]!r} and {texts[1]!r}"
        )
    question, answer = (
        _fill_locations(text, places, coordinates).replace(REPR, described) for text in texts
    )
    return question, answer


def _fill_locations(text: str, places: Iterator[Place], coordinates: CoordinateFormat) -> str:
    if not _IN_A_FORM.search(text):
        head, *tail = text.split(LOC)
        return head + "".join(next(places).text + part for part in tail)
    spans = [match.span() for match in _LOC.finditer(text)]
    return apply(text, rewrite(text, spans, [next(places) for _ in spans], coordinates))
