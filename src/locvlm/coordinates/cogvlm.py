"""CogVLM and CogAgent: ``[[034,120,589,991]]``, thousandths of the picture in three digits.

Source: arXiv 2311.03079; github.com/THUDM/CogVLM, `utils/parser.py` (boxstr_to_boxes: a thousandth
each, ``;`` between boxes) and issue 25. How the training data was rounded is not published; down,
and 999 at most, is what three digits allow.
"""

from collections.abc import Mapping
from typing import ClassVar

from locvlm.coordinates.base import Kind, Rounding
from locvlm.coordinates.dialect import Dialect, Form


class CogVLM(Dialect):
    """``[[x1,y1,x2,y2]]``, each 000 … 999; ``[[a;b]]`` for several. Boxes only."""

    name: ClassVar[str] = "cogvlm"
    scale: ClassVar[float] = 1000
    top: ClassVar[float] = 999
    rounding: ClassVar[Rounding] = "floor"
    pad: ClassVar[int] = 3
    forms: ClassVar[Mapping[Kind, Form]] = {"box": Form("{},{},{},{}", "[[", "]]")}
    between: ClassVar[str] = ";"
