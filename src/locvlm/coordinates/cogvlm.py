"""CogVLM and CogAgent: ``[[034,120,589,991]]``, thousandths of the picture in three digits.

Source: arXiv 2311.03079; github.com/THUDM/CogVLM, `utils/parser.py` (boxstr_to_boxes: a thousandth
each, ``;`` between boxes) and issue 25. How the training data was rounded is not published; down,
and 999 at most, is what three digits allow.
"""

from locvlm.coordinates.dialect import Dialect, Form


class CogVLM(Dialect):
    """``[[x1,y1,x2,y2]]``, each 000 … 999; ``[[a;b]]`` for several. Boxes only."""

    name = "cogvlm"
    scale = 1000
    top = 999
    rounding = "floor"
    pad = 3
    box = Form("{},{},{},{}", "[[", "]]")
    between = ";"
