"""Processors that cut a picture into tiles and show an overview of the whole beside them.

A model is told where each tile lies only by their order, so its coordinates are shares of the
whole: the frame is the overview's. Source: transformers 5, the `image_processing_pil_*.py` of
llava_next, idefics3, smolvlm and got_ocr2 (InternVL's).
"""

from __future__ import annotations

from typing import Any

from locvlm.geometry import Frame, Size
from locvlm.processors.settings import setting, width_height


def llava_next(processor: Any, size: Size) -> Frame:
    """The overview is stretched to a square of the shortest edge, then treated as the tiles are."""
    want = setting(processor, "size")
    edge = want.get("shortest_edge")
    frame = Frame.resize(size, edge or width_height(processor, want))
    if not processor.do_center_crop:
        return frame
    return frame.cropped(width_height(processor, setting(processor, "crop_size")))


def idefics3(processor: Any, size: Size) -> Frame:
    """Stretched to a square of a tile's size, with tiles or without."""
    return Frame.resize(size, setting(processor, "max_image_size")["longest_edge"])


def internvl(processor: Any, size: Size) -> Frame:
    """Stretched to the size of a tile; a picture of one tile is its own overview."""
    return Frame.resize(size, width_height(processor, setting(processor, "size")))
