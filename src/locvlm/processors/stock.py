"""The steps that most processors share: resize, center crop, pad.

In the order of transformers 5 (`image_processing_backends.py`), which pads at the right and bottom
last; LLaVA's ``do_pad`` pads to a square *before* the resize.
"""

from __future__ import annotations

from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Frame, Size, shortest_edge_size
from locvlm.processors.settings import setting, width_height


def llava(processor: Any, size: Size) -> Frame:
    """As `stock`; a picture that is padded is padded to a square first. Raises InputError."""
    pads = bool(processor.do_pad)
    return _steps(processor, Frame.pad_to_square(size, max(size)) if pads else Frame.identity(size))


def stock(processor: Any, size: Size) -> Frame:
    """The frame for a picture (width, height). Raises InputError where settings make no sense."""
    frame = _steps(processor, Frame.identity(size))
    if getattr(processor, "do_pad", False) and (pad := setting(processor, "pad_size")):
        return Frame(size, width_height(processor, pad), frame.scale, frame.offset)
    return frame


def _steps(processor: Any, frame: Frame) -> Frame:
    """`frame`, then the resize and the center crop."""
    if getattr(processor, "do_resize", False):
        to = _resized_size(processor, frame.model)
        if min(to) < 1:
            width, height = frame.original
            raise InputError(
                f"{type(processor).__name__}: a picture of {width} x {height} pixels would be "
                f"resized to {to[0]} x {to[1]}; crop it, or change the processor's size"
            )
        frame = _resized(frame, to)
    if getattr(processor, "do_center_crop", False):
        crop = setting(processor, "crop_size")
        rounds_up = getattr(processor, "backend", "pil") != "torchvision"
        frame = frame.cropped(width_height(processor, crop), pad_rounds_up=rounds_up)
    return frame


def _resized(frame: Frame, to: Size) -> Frame:
    """`frame`, then its picture stretched to `to`."""
    ratio = (to[0] / frame.model[0], to[1] / frame.model[1])
    scale = (frame.scale[0] * ratio[0], frame.scale[1] * ratio[1])
    offset = (frame.offset[0] * ratio[0], frame.offset[1] * ratio[1])
    return Frame(frame.original, to, scale, offset)


def _resized_size(processor: Any, size: Size) -> Size:
    """The size after transformers' resize, in its order of precedence."""
    want = setting(processor, "size")
    shortest, longest = want.get("shortest_edge"), want.get("longest_edge")
    if shortest and longest:
        return _bounded_size(size, shortest, longest)
    if shortest:
        return shortest_edge_size(size, shortest)
    if want.get("max_height") and want.get("max_width"):
        ratio = min(want["max_width"] / size[0], want["max_height"] / size[1])
        return int(size[0] * ratio), int(size[1] * ratio)
    return width_height(processor, want)


def _bounded_size(size: Size, shortest: int, longest: int) -> Size:
    """Shortest edge to `shortest`, less where the other would pass `longest` (HF's rounding)."""
    low, high = min(size), max(size)
    exact: float = shortest
    if high / low * shortest > longest:
        exact = longest * low / high
        shortest = round(exact)
    if low == shortest:
        return size
    if size[0] < size[1]:
        return shortest, int(exact * size[1] / size[0])
    return int(exact * size[0] / size[1]), shortest
