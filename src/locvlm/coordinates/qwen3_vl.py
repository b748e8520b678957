"""Qwen3-VL: ``{"bbox_2d": [341, 258, 397, 360]}``, thousandths of the picture again.

Source: arXiv 2511.21631; github.com/QwenLM/Qwen3-VL, `cookbooks/2d_grounding.ipynb`. How the
training data was rounded is not published.
"""

from collections.abc import Mapping
from typing import ClassVar

from locvlm.coordinates.base import Kind
from locvlm.coordinates.dialect import Dialect, Form
from locvlm.coordinates.qwen2_5_vl import Qwen25VL


class Qwen3VL(Dialect):
    """JSON with ``bbox_2d`` (x1, y1, x2, y2) or ``point_2d`` (x, y), each an integer 0 … 1000."""

    name: ClassVar[str] = "qwen3-vl"
    scale: ClassVar[float] = 1000
    top: ClassVar[float] = 1000
    forms: ClassVar[Mapping[Kind, Form]] = Qwen25VL.forms
    stray: ClassVar[str] = Qwen25VL.stray
