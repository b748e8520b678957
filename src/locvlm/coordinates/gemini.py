"""Gemini: ``{"box_2d": [258, 341, 360, 397]}``, y first, thousandths of the picture.

Source: Google's Gemini API documentation, "Image understanding" (boxes) and "Gemini Robotics-ER"
(points). How the training data was rounded is not published.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from locvlm.coordinates.base import Kind
from locvlm.coordinates.dialect import Dialect, Form


class Gemini(Dialect):
    """JSON with ``box_2d`` (y1, x1, y2, x2) or ``point`` (y, x), each an integer 0 … 1000."""

    name: ClassVar[str] = "gemini"
    order: ClassVar[Literal["xy", "yx"]] = "yx"
    scale: ClassVar[float] = 1000
    top: ClassVar[float] = 1000
    forms: ClassVar[Mapping[Kind, Form]] = {
        "box": Form('"box_2d": [{}, {}, {}, {}]', "{", "}"),
        "point": Form('"point": [{}, {}]', "{", "}"),
    }
    stray: ClassVar[str] = r"""["'](?:box_2d|point)["']\s*:\s*\[[^\[\]]*\]"""
