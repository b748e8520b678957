"""DeepSeek-VL2: ``<|det|>[[580, 270, 999, 904]]<|/det|>``, 1000 steps from edge to edge.

Source: arXiv 2412.10302; github.com/deepseek-ai/DeepSeek-VL2,
`deepseek_vl2/serve/app_modules/utils.py` (parse_ref_bbox: back by number / 999). How the training
data was rounded is not published. The picture is tiled, the numbers are of the whole.
"""

from locvlm.coordinates.dialect import Dialect, Form


class DeepSeekVL2(Dialect):
    """``<|det|>[[x1, y1, x2, y2]]<|/det|>``, each an integer 0 … 999. Boxes only."""

    name = "deepseek-vl2"
    scale = 999
    top = 999
    box = Form("[{}, {}, {}, {}]", "<|det|>[", "]<|/det|>")
    shared = ", "
    labelled = "<|ref|>{label}<|/ref|>{place}"
    joint = ""
