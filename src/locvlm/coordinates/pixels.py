"""Pixels of the original picture: ``[10, 120, 30, 145]``, as annotation tools and people write.

No family of models speaks it: what a model is shown is another picture. It is for data sets, to be
read and to be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from locvlm.coordinates.base import FoundLocation
from locvlm.coordinates.dialect import Form
from locvlm.coordinates.json_dialect import NUMBER, JsonDialect
from locvlm.geometry import Frame

_PAIR = rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)"
_CORNERS = re.compile(
    rf"(?:<\|box_start\|>|<box>)?\s*{_PAIR}\s*,\s*{_PAIR}\s*(?:<\|box_end\|>|</box>)?"
    rf"|\(\s*({NUMBER})\s*,\s*({NUMBER})\s*,\s*({NUMBER})\s*,\s*({NUMBER})\s*\)"
)


class Pixels(JsonDialect):
    """``[x1, y1, x2, y2]`` or ``[x, y]``; read with a key or without, and as pairs of corners."""

    name = "pixels"
    box = Form("[{}, {}, {}, {}]")
    point = Form("[{}, {}]")
    bare = (2, 4)
    key_of = {"box": "bbox_2d", "point": "point_2d"}  # noqa: RUF012

    def extent(self, frame: Frame) -> tuple[float, float]:
        return frame.original

    def largest(self, frame: Frame) -> tuple[float, float]:
        return frame.original

    def find(self, text: str) -> Iterator[FoundLocation]:
        found = list(super().find(text))
        pairs = [
            FoundLocation(match.span(), self.read_numbers([w for w in match.groups() if w]))
            for match in _CORNERS.finditer(text)
        ]
        taken = [pair.span for pair in pairs]
        rest = [
            each
            for each in found
            if not any(a < each.span[1] and each.span[0] < b for a, b in taken)
        ]
        yield from sorted([*rest, *pairs], key=lambda each: each.span)
