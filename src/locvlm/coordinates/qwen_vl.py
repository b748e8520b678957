"""Qwen-VL: ``<box>(536,509),(588,602)</box>``, thousandths of the picture.

Source: arXiv 2308.12966 (numbers in [0, 1000)); Qwen/Qwen-VL-Chat, `tokenization_qwen.py`
(draw_bbox_on_latest_picture: a thousandth each). How the training data was rounded is not
published; down is what keeps every number below 1000.
"""

from locvlm.coordinates.dialect import Dialect, Form


class QwenVL(Dialect):
    """``<box>(x1,y1),(x2,y2)</box>``, each an integer 0 … 999. Boxes only."""

    name = "qwen-vl"
    scale = 1000
    top = 999
    rounding = "floor"
    box = Form("({},{}),({},{})", "<box>", "</box>")
    unbracketed = True
    shared = "</box><box>"
    labelled = "<ref>{label}</ref>{place}"
    joint = ""
