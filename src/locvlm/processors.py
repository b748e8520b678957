"""Reads the frame of a Hugging Face image processor from its settings.

It follows the order of transformers 5 (`image_processing_backends.py`): resize, center crop, pad
at the right and bottom; LLaVA's ``do_pad`` pads to a square *before* the resize. Nothing of
transformers is imported: only the processor's own attributes are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Frame, Size, shortest_edge_size

_STEPS = (  # methods that may move pixels, in the order of transformers' calls
    "preprocess",
    "_preprocess_image_like_inputs",
    "_prepare_image_like_inputs",
    "process_image",
    "_preprocess",
    "resize",
    "center_crop",
    "pad",
)
_STOCK = ("transformers.image_processing_backends", "transformers.image_processing_utils")
_LLAVA = ("LlavaImageProcessor", "LlavaImageProcessorPil")


def frame_of(processor: Any, size: Size) -> Frame:
    """The frame of `processor` (or of its `.image_processor`) for a picture (width, height).

    Raises InputError where the processor has steps of its own, or settings that make no sense.
    """
    processor = getattr(processor, "image_processor", processor)
    llava = any(cls.__name__ in _LLAVA for cls in type(processor).__mro__)
    if not llava:
        _require_stock_steps(processor)

    frame = Frame.identity(size)
    pads = bool(getattr(processor, "do_pad", False))
    if llava and pads:
        frame = _on_square(size)
    if getattr(processor, "do_resize", False):
        to = _resized_size(processor, frame.model)
        if min(to) < 1:
            raise InputError(
                f"{type(processor).__name__}: a picture of {size[0]} x {size[1]} pixels would be "
                f"resized to {to[0]} x {to[1]}; crop it, or change the processor's size"
            )
        frame = _resized(frame, to)
    if getattr(processor, "do_center_crop", False):
        crop = _setting(processor, "crop_size")
        rounds_up = getattr(processor, "backend", "pil") != "torchvision"
        frame = frame.cropped(_width_height(processor, crop), pad_rounds_up=rounds_up)
    if pads and not llava and (pad := _setting(processor, "pad_size")):
        frame = Frame(size, _width_height(processor, pad), frame.scale, frame.offset)
    return frame


def _on_square(size: Size) -> Frame:
    side = max(size)
    return Frame.pad_to_square(size, side)


def _resized(frame: Frame, to: Size) -> Frame:
    """`frame`, then its picture stretched to `to`."""
    ratio = (to[0] / frame.model[0], to[1] / frame.model[1])
    scale = (frame.scale[0] * ratio[0], frame.scale[1] * ratio[1])
    offset = (frame.offset[0] * ratio[0], frame.offset[1] * ratio[1])
    return Frame(frame.original, to, scale, offset)


def _resized_size(processor: Any, size: Size) -> Size:
    """The size after transformers' resize, in its order of precedence."""
    want = _setting(processor, "size")
    shortest, longest = want.get("shortest_edge"), want.get("longest_edge")
    if shortest and longest:
        return _bounded_size(size, shortest, longest)
    if shortest:
        return shortest_edge_size(size, shortest)
    if want.get("max_height") and want.get("max_width"):
        ratio = min(want["max_width"] / size[0], want["max_height"] / size[1])
        return int(size[0] * ratio), int(size[1] * ratio)
    return _width_height(processor, want)


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


def _setting(processor: Any, name: str) -> dict[str, int]:
    """A size setting as a plain dict; transformers has ints, dicts and its own `SizeDict`."""
    value = getattr(processor, name, None)
    if value is None:
        return {}
    if isinstance(value, int):
        return {"height": value, "width": value}
    pairs = value.items() if isinstance(value, Mapping) else iter(value)
    return {key: int(number) for key, number in pairs if number is not None}


def _width_height(processor: Any, size: Mapping[str, int]) -> Size:
    if not (size.get("width") and size.get("height")):
        raise InputError(
            f"{type(processor).__name__}: cannot tell the model's image size from {dict(size)}; "
            "give its size (and crop_size) a width and a height"
        )
    return size["width"], size["height"]


def _require_stock_steps(processor: Any) -> None:
    """Refuse a transformers class that overrides a step which moves pixels."""
    for step in _STEPS:
        owner = next((c for c in type(processor).__mro__ if step in vars(c)), None)
        if owner is not None and owner.__module__ not in _STOCK:
            raise InputError(
                f"{type(processor).__name__} moves pixels in its own {step}(), which LocVLM does "
                "not know; pass the Frame of your image instead of reading it from the processor"
            )
