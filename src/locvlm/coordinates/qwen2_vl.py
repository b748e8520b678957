"""Qwen2-VL: ``<|box_start|>(176,106),(232,160)<|box_end|>``, thousandths of the picture.

Source: arXiv 2409.12191, section 2.2 (numbers in [0, 1000)). Agents on top of it, such as UI-TARS
(arXiv 2501.12326), write a point as ``<|box_start|>(x,y)<|box_end|>``. The rounding is not
published; down is what keeps every number below 1000.
"""

from locvlm.coordinates.dialect import Dialect, Form


class Qwen2VL(Dialect):
    """``<|box_start|>(x1,y1),(x2,y2)<|box_end|>`` or one ``(x,y)``, each an integer 0 … 999."""

    name = "qwen2-vl"
    scale = 1000
    top = 999
    rounding = "floor"
    box = Form("({},{}),({},{})", "<|box_start|>", "<|box_end|>")
    unbracketed = True
    shared = "<|box_end|><|box_start|>"
    labelled = "<|object_ref_start|>{label}<|object_ref_end|>{place}"
    joint = ""
    point = Form("({},{})", "<|box_start|>", "<|box_end|>")
