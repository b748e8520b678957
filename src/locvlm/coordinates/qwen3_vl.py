"""Qwen3-VL: ``{"bbox_2d": [341, 258, 397, 360]}``, thousandths of the picture again.

Source: arXiv 2511.21631; github.com/QwenLM/Qwen3-VL, `cookbooks/2d_grounding.ipynb`. How the
training data was rounded is not published.
"""

from locvlm.coordinates.json_dialect import JsonDialect
from locvlm.coordinates.qwen2_5_vl import Qwen25VL


class Qwen3VL(JsonDialect):
    """JSON with ``bbox_2d`` (x1, y1, x2, y2) or ``point_2d`` (x, y), each an integer 0 … 1000."""

    name = "qwen3-vl"
    scale = 1000
    top = 1000
    box = Qwen25VL.box
    point = Qwen25VL.point
    key_of = Qwen25VL.key_of
