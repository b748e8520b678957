"""Shikra: ``[0.220,0.216,0.568,0.830]``, shares of the picture padded to a square.

Source: arXiv 2306.15195; github.com/shikras/shikra, `box_process_function.py` (PlainBoxFormatter,
``;`` between boxes) and `transform.py` (norm_box_xyxy, expand2square).
"""

from locvlm.coordinates.dialect import SHARE, Dialect, Form
from locvlm.geometry import Frame, Size

SIDE = 224  # pixels of CLIP ViT-L/14's picture


class Shikra(Dialect):
    """``[x1,y1,x2,y2]`` or ``[x,y]``, 0.000 … 1.000, half to even; ``[a;b]`` for several."""

    name = "shikra"
    scale = 1
    top = 1
    decimals = 3
    number = SHARE
    box = Form("{},{},{},{}", "[", "]")
    point = Form("{},{}", "[", "]")
    between = ";"
    relative_to = "seen"

    def frame(self, size: Size) -> Frame:
        return Frame.pad_to_square(size, SIDE)
