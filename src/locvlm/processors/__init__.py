"""Reads the frame of a Hugging Face image processor from its settings.

Nothing of transformers is imported: only the processor's own attributes are read. A processor with
steps of its own is known by its class, as long as nobody has overridden what moves pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Frame, Size
from locvlm.processors.smart_resize import qwen2_vl
from locvlm.processors.stock import llava, stock
from locvlm.processors.tiles import idefics3, internvl, llava_next

__all__ = ["frame_of", "shows_tiles"]

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
# Classes with steps of their own, without the ending Pil
_OWN: dict[str, Callable[[Any, Size], Frame]] = {
    "LlavaImageProcessor": llava,
    "LlavaNextImageProcessor": llava_next,
    "Idefics3ImageProcessor": idefics3,
    "SmolVLMImageProcessor": idefics3,
    "GotOcr2ImageProcessor": internvl,
    "Qwen2VLImageProcessor": qwen2_vl,
}
_TILED = (llava_next, idefics3, internvl)


def frame_of(processor: Any, size: Size) -> Frame:
    """The frame of `processor` (or of its `.image_processor`) for a picture (width, height).

    Raises InputError where the processor has steps that are not known, or settings that make no
    sense.
    """
    processor = getattr(processor, "image_processor", processor)
    known = _known_class(processor)
    _require_known_steps(processor, known)
    if known is None:
        return stock(processor, size)
    read = _reader(known)
    if read is not llava and not processor.do_resize:
        raise InputError(
            f"{type(processor).__name__}: what it does without do_resize is not known; switch it on"
        )
    return read(processor, size)


def shows_tiles(processor: Any) -> bool:
    """Whether the model sees more of a picture than the one picture of its frame."""
    known = _known_class(getattr(processor, "image_processor", processor))
    return known is not None and _reader(known) in _TILED


def _known_class(processor: Any) -> type | None:
    mro = type(processor).__mro__
    return next((cls for cls in mro if cls.__name__.removesuffix("Pil") in _OWN), None)


def _reader(known: type) -> Callable[[Any, Size], Frame]:
    return _OWN[known.__name__.removesuffix("Pil")]


def _require_known_steps(processor: Any, known: type | None) -> None:
    """Refuse a class that overrides a step which moves pixels."""
    for step in _STEPS:
        owner = next((c for c in type(processor).__mro__ if step in vars(c)), None)
        if owner not in (None, known) and owner.__module__ not in _STOCK:
            raise InputError(
                f"{type(processor).__name__} moves pixels in its own {step}(), which LocVLM does "
                "not know; pass the Frame of your image instead of reading it from the processor"
            )
