"""MiniGPT-v2: ``{<24><7><98><93>}``, hundredths of the picture, cut off.

Source: arXiv 2310.09478; github.com/Vision-CAIR/MiniGPT-4,
`minigpt4/datasets/datasets/coco_dataset.py` (ReferCOCODataset) and `demo_v2.py`.
"""

from locvlm.coordinates.dialect import Dialect, Form


class MiniGPTv2(Dialect):
    """``{<x1><y1><x2><y2>}``, each an integer 0 … 100, rounded down. Boxes only."""

    name = "minigpt-v2"
    scale = 100
    top = 100
    rounding = "floor"
    box = Form("<{}><{}><{}><{}>", "{", "}")
    labelled = "<p>{label}</p> {place}"
    joint = ""
    stray = r"\{\s*(?:<-?[0-9.]+>[\s|]*)+\}"

    @classmethod
    def pattern_of(cls, form: Form) -> str:
        return super().pattern_of(form) + r"(?!\s*\|)"  # GeoChat's ``|<angle>`` turns the box
