"""DIGA, deviation from grid anchors: another way to write IVB's integers (arXiv 2404.07449).

The bins are cut into cells of 14 (the vision encoder's patch): 16 × 16 cells of 224 bins. A box is
the cell (p, q) that holds its center, then the outward distances from that cell's center to the
left, top, right and bottom side. Box(10, 120, 30, 145) of a 512 × 512 picture is (4,52,13,63) in
IVB; its cell is (0,4), with center (7,63); hence ``(0,4,3,11,6,0)``. A distance is negative where
the box misses the center, so decoding is exact. A point is its cell and the way from the cell's
center to it, to the right and down: ``(p,q,dx,dy)``.
"""

from dataclasses import dataclass
from typing import ClassVar

from locvlm.coordinates.base import Numbers
from locvlm.coordinates.ivb import IVB
from locvlm.errors import InputError

CELL = 14  # bins


@dataclass(frozen=True)
class DIGA(IVB):
    """``(p,q,left,top,right,bottom)`` or ``(p,q,dx,dy)``; `bins` must be a multiple of 14.

    The paper's "p,q = 0…13" does not fit its own 16 and 24 cells a side; we follow the cells.
    """

    name: ClassVar[str] = "diga"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bins % CELL:
            raise InputError(f"diga: bins must be a multiple of {CELL}, not {self.bins}")

    def numbers_of(self, values: Numbers) -> Numbers:
        """From IVB's integers; the center is that of the integers, so IVB alone decides DIGA."""
        half = len(values) // 2  # a point's second corner is the point itself
        p, q = (self._cell((values[i] + values[i - 2 + 2 * half]) / 2) for i in (0, 1))
        x, y = _center(p), _center(q)
        if len(values) == 2:
            return (p, q, values[0] - x, values[1] - y)
        return (p, q, x - values[0], y - values[1], values[2] - x, values[3] - y)

    def values_of(self, numbers: Numbers) -> Numbers | None:
        """Back to IVB's integers; None where the cell is not on the grid."""
        if len(numbers) not in (4, 6) or not all(0 <= n < self.bins // CELL for n in numbers[:2]):
            return None
        x, y = _center(numbers[0]), _center(numbers[1])
        if len(numbers) == 4:
            return (x + numbers[2], y + numbers[3])
        return (x - numbers[2], y - numbers[3], x + numbers[4], y + numbers[5])

    def _cell(self, value: float) -> int:
        """The cell of a center; the far edge belongs to the last one."""
        return min(int(value // CELL), self.bins // CELL - 1)


def _center(cell: float) -> float:
    return cell * CELL + CELL // 2
