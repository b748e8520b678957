"""IVB, integer-valued bins: x · bins / width as an integer 0 … bins (arXiv 2404.07449).

Box(10, 120, 30, 145) of a 512 × 512 picture is ``(4,52,13,63)`` with 224 bins. The paper takes
224 (LocVLM-B) or 336 (LocVLM-L), the side of the model's picture, and finds this format the best.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from locvlm.coordinates.base import CoordinateFormat
from locvlm.errors import InputError
from locvlm.geometry import Frame


@dataclass(frozen=True)
class IVB(CoordinateFormat):
    """``(x1,y1,x2,y2)`` or ``(cx,cy)``, each an integer 0 … `bins`. Raises InputError if < 1."""

    bins: int = 224  # the number that stands for the right and the bottom edge

    name: ClassVar[str] = "ivb"
    number: ClassVar[re.Pattern[str]] = re.compile(r"-?[0-9]+")

    def __post_init__(self) -> None:
        if not isinstance(self.bins, int) or isinstance(self.bins, bool) or self.bins < 1:
            raise InputError(
                f"{self.name}: bins must be a whole number of at least 1, not {self.bins!r}"
            )

    def extent(self, frame: Frame) -> tuple[float, float]:
        return (self.bins, self.bins)
