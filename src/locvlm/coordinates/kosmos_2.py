"""Kosmos-2: ``<object><patch_index_0044><patch_index_0863></object>``, cells of a 32 × 32 grid.

Source: arXiv 2306.14824; transformers, `models/kosmos2/processing_kosmos2.py`
(coordinate_to_patch_index, patch_index_to_coordinate).
"""

import math

from locvlm.coordinates.base import Kind, Numbers
from locvlm.coordinates.dialect import Dialect, Form

SIDE = 32  # cells


class Kosmos2(Dialect):
    """The cells, row by row, that hold the box's first corner and its last. Boxes only.

    A box goes out as whole cells. It comes back from cell center to cell center or, where it is
    one cell high or wide, from cell edge to cell edge, as in the original.
    """

    name = "kosmos-2"
    scale = SIDE
    top = SIDE - 1
    rounding = "cell"
    pad = 4
    box = Form("<patch_index_{}><patch_index_{}>", "<object>", "</object>")
    shared = "</delimiter_of_multi_objects/>"
    labelled = "<phrase>{label}</phrase>{place}"
    joint = ""
    stray = r"(?:<patch_index_[0-9]+>\s*)+"

    def quantize(self, values: Numbers) -> Numbers:
        first = [min(math.floor(v), SIDE - 1) for v in values[:2]]
        last = [math.ceil(v) - 1 for v in values[2:]]
        return (*first, *(max(a, b) for a, b in zip(first, last, strict=True)))

    def numbers_of(self, values: Numbers) -> Numbers:
        x1, y1, x2, y2 = values
        return (y1 * SIDE + x1, y2 * SIDE + x2)

    def values_of(self, numbers: Numbers) -> Numbers | None:
        if len(numbers) != 2 or not all(0 <= n < SIDE * SIDE for n in numbers):
            return None
        (y1, x1), (y2, x2) = (divmod(n, SIDE) for n in numbers)
        if x2 < x1 or y2 < y1:
            return None
        if x1 == x2 or y1 == y2:
            return (x1, y1, x2 + 1, y2 + 1)
        return (x1 + 0.5, y1 + 0.5, x2 + 0.5, y2 + 0.5)

    def repr_of(self, kind: Kind) -> str:
        super().repr_of(kind)  # refuses points
        return self._fill(self.forms["box"], ["first", "last"])
