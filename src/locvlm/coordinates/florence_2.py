"""Florence-2: ``<loc_52><loc_332><loc_932><loc_774>``, bins of a thousandth of the picture.

Source: arXiv 2311.06242; transformers, `models/florence2/processing_florence2.py`
(Florence2PostProcessor.quantize: down, clipped to 999; dequantize: the middle of the bin, which
the original then cuts off to whole pixels; here it is kept).
"""

from locvlm.coordinates.dialect import Dialect, Form


class Florence2(Dialect):
    """``<loc_x1><loc_y1><loc_x2><loc_y2>``, each 0 … 999. Boxes only.

    Four numbers in a row are a box, as in the original's detection tasks; the eight of an OCR
    quadrilateral are none.
    """

    name = "florence-2"
    scale = 1000
    top = 999
    rounding = "floor"
    read_at = 0.5
    box = Form("<loc_{}><loc_{}><loc_{}><loc_{}>")
    unbracketed = True
    labelled = "{label}{place}"
    joint = ""
    stray = r"(?:<loc_-?[0-9]+>\s*)+"
