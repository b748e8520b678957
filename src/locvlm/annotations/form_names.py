"""The names of the forms in which files write boxes (see `locvlm.annotations.box_forms`)."""

from __future__ import annotations

from typing import Literal

# Order of a box's four numbers, in pixels; or as shares (0 to 1) of the picture's width and height,
# in the format's own order or another.
BoxForm = Literal[
    "xywh",
    "xyxy",
    "cxcywh",
    "yxyx",
    "shares",
    "shares-xywh",
    "shares-xyxy",
    "shares-cxcywh",
    "shares-yxyx",
]
Unit = Literal["pixels", "shares", "percent"]  # of the picture's width and height
