"""Ferret and Ferret-UI: ``[x1, y1, x2, y2]``, thousandths of the picture, cut off.

Source: arXiv 2310.07704; github.com/apple/ml-ferret, `ferret/train/train.py` and
`ferret/eval/eval_refexp.py` (VOCAB_IMAGE_W = 1000; the picture is squashed, not padded).
"""

from locvlm.coordinates.dialect import Dialect, Form


class Ferret(Dialect):
    """``[x1, y1, x2, y2]`` or ``[x, y]``, each an integer 0 … 1000, rounded down."""

    name = "ferret"
    scale = 1000
    top = 1000
    rounding = "floor"
    box = Form("[{}, {}, {}, {}]")
    point = Form("[{}, {}]")
