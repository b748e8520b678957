"""NFP, normalized floats: a share of the width or height, four decimals (arXiv 2404.07449).

Box(10, 120, 30, 145) of a 512 × 512 picture is ``(0.0195,0.2344,0.0586,0.2832)``.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from locvlm.coordinates.base import CoordinateFormat
from locvlm.geometry import Frame


@dataclass(frozen=True)
class NFP(CoordinateFormat):
    """``(x1,y1,x2,y2)`` or ``(cx,cy)``, each 0.0000 … 1.0000.

    A whole number other than 0 and 1 marks another format (bins, pixels): malformed, not clipped.
    """

    name: ClassVar[str] = "nfp"
    decimals: ClassVar[int] = 4
    number: ClassVar[re.Pattern[str]] = re.compile(r"-?[0-9]+\.[0-9]+|[01]")

    def extent(self, frame: Frame) -> tuple[float, float]:
        return (1.0, 1.0)
