"""LLaVA-1.5: ``[0.41, 0.31, 0.67, 0.73]``, shares of the picture padded to a square.

Source: arXiv 2310.03744; the boxes of llava_v1_5_mix665k.json, explained in
github.com/haotian-liu/LLaVA/issues/606; padding as `expand2square` of `llava/mm_utils.py`.
"""

from locvlm.coordinates.dialect import SHARE, Dialect, Form
from locvlm.geometry import Frame, Size

SIDE = 336  # pixels of CLIP ViT-L/14-336's picture


class Llava15(Dialect):
    """``[x1, y1, x2, y2]``, each 0.00 … 1.00, half to even. Boxes only."""

    name = "llava-1.5"
    scale = 1
    top = 1
    decimals = 2
    number = SHARE
    box = Form("[{}, {}, {}, {}]")
    relative_to = "seen"

    def frame(self, size: Size) -> Frame:
        return Frame.pad_to_square(size, SIDE)
