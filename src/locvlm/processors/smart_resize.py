"""Qwen's dynamic resolution: nearly the picture's own size, in whole tokens.

Source: transformers 5, `models/qwen2_vl/image_processing_pil_qwen2_vl.py`.
"""

from __future__ import annotations

import math
from typing import Any

from locvlm.errors import UnusableImageError
from locvlm.geometry import Frame, Size
from locvlm.processors.settings import setting

MAX_RATIO = 200
# Classes, without the ending Pil, whose bounds are of all frames that become one token
_COUNT_FRAMES = (
    "Glm4vImageProcessor",
    "Glm46VImageProcessor",
    "GlmgaImageProcessor",
    "Cosmos3EdgeImageProcessor",
)


def qwen2_vl(processor: Any, size: Size) -> Frame:
    """Stretched to the size that `smart_resize` finds. Raises InputError as that."""
    bounds = setting(processor, "size")
    step = processor.patch_size * processor.merge_size
    return Frame.resize(
        size, smart_resize(size, bounds["shortest_edge"], bounds["longest_edge"], step)
    )


def reads_by_pixels(processor: Any) -> bool:
    """Whether an image processor scales to between two numbers of pixels, as `qwen2_vl` does.

    So do those of GLM-4V, PaddleOCR-VL, ERNIE 4.5 VL, HunYuan-VL and others: their edges are areas,
    and squares of patches become one token.
    """
    sides = (getattr(processor, name, None) for name in ("patch_size", "merge_size"))
    edges = {"shortest_edge", "longest_edge"} <= setting(processor, "size").keys()
    return edges and all(isinstance(side, int) for side in sides)


def frames_counted(processor: Any) -> int:
    """How often such a processor counts each pixel of a still: GLM's does for every frame."""
    names = {cls.__name__.removesuffix("Pil") for cls in type(processor).__mro__}
    return 1 if names.isdisjoint(_COUNT_FRAMES) else int(processor.temporal_patch_size)


def smart_resize(size: Size, min_pixels: int, max_pixels: int, step: int) -> Size:
    """The nearest (width, height) in steps with no fewer and no more pixels than allowed.

    Raises InputError where one side is more than 200 times the other.
    """
    if max(size) / min(size) > MAX_RATIO:
        raise UnusableImageError(
            f"a picture of {size[0]} x {size[1]} pixels is too narrow (more than {MAX_RATIO} : 1) "
            "for a Qwen; crop it or pad it"
        )
    width, height = (round(side / step) * step for side in size)
    pixels = size[0] * size[1]
    if width * height > max_pixels:
        shrink = math.sqrt(pixels / max_pixels)
        steps = [max(1, math.floor(side / shrink / step)) for side in size]
    elif width * height < min_pixels:
        grow = math.sqrt(min_pixels / pixels)
        steps = [math.ceil(side * grow / step) for side in size]
    else:
        return (width, height)
    return (steps[0] * step, steps[1] * step)
