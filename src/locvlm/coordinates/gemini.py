"""Gemini: ``{"box_2d": [258, 341, 360, 397]}``, y first, thousandths of the picture.

Source: Google's Gemini API documentation, "Image understanding" (boxes) and "Gemini Robotics-ER"
(points). How the training data was rounded is not published.
"""

from locvlm.coordinates.dialect import Form
from locvlm.coordinates.json_dialect import JsonDialect


class Gemini(JsonDialect):
    """JSON with ``box_2d`` (y1, x1, y2, x2) or ``point`` (y, x), each an integer 0 … 1000."""

    name = "gemini"
    order = "yx"
    scale = 1000
    top = 1000
    box = Form('"box_2d": [{}, {}, {}, {}]', "{", "}")
    point = Form('"point": [{}, {}]', "{", "}")
    key_of = {"box": "box_2d", "point": "point"}  # noqa: RUF012
