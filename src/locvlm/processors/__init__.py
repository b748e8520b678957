"""Reads the frame of a Hugging Face image processor from its settings, or from what it does.

Nothing of transformers is imported. A processor that is known is read by a formula from its own
attributes: one with the usual steps, and one of the classes listed here, as long as nobody has
overridden what moves pixels. Any other is given pictures to look at (`locvlm.processors.probe`),
once for each size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.processors.probe import probe_frame, probe_views
from locvlm.processors.smart_resize import qwen2_vl
from locvlm.processors.stock import llava, stock
from locvlm.processors.tiles import idefics3, internvl, llava_next

__all__ = ["frame_of", "has_formula", "shown_part", "shows_tiles", "views_of", "visible_part"]

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
_LARGE = (1600, 1200)  # a picture that is cut where any is
_NOISE = 1e-6  # original pixels: less is float arithmetic
_ROUNDING = 1.0  # pixels of the model's: as much of an edge may be lost in rounding


def frame_of(processor: Any, size: Size) -> Frame:
    """The frame of `processor` (or of its `.image_processor`) for a picture (width, height).

    Of a picture in tiles, that of the overview; without one, of all tiles together. Microseconds
    where there is a formula, else some tens of milliseconds for each new size.

    Raises InputError where it cannot be told, or where settings make no sense.
    """
    processor = getattr(processor, "image_processor", processor)
    known = _known_class(processor)
    if (step := _unknown_step(processor, known)) is not None:
        return _probe(processor, size, step)
    if known is None:
        return stock(processor, size)
    read = _reader(known)
    if read is not llava and not processor.do_resize:
        raise InputError(
            f"{type(processor).__name__}: what it does without do_resize is not known; switch it on"
        )
    return read(processor, size)


def views_of(processor: Any, size: Size) -> tuple[Frame, ...]:
    """The frame of each picture that the model sees of one of `size`: the whole, or its tiles, too.

    In the order of the processor's output. The part of the original that a tile covers is
    ``frame.invert(Box(0, 0, *frame.model))``. Tens of milliseconds for each new size of a processor
    that cuts tiles. Raises InputError as `frame_of`.
    """
    processor = getattr(processor, "image_processor", processor)
    known = _known_class(processor)
    whole = _unknown_step(processor, known) is None and not _is_tiled(known)
    return (frame_of(processor, size),) if whole else probe_views(processor, size)


def shown_part(processor: Any, size: Size) -> Box | None:
    """What the model's one picture shows of one of `size`, in original pixels; None: just that.

    It reaches out of the picture where that is padded. Raises InputError as `frame_of`.
    """
    frame = frame_of(processor, size)
    part = frame.invert(Box(0, 0, *frame.model))
    assert isinstance(part, Box)
    whole = (0.0, 0.0, *map(float, size))
    near = all(abs(a - b) < _NOISE for a, b in zip(coords_of(part), whole, strict=True))
    return None if near else part


def visible_part(processor: Any, size: Size) -> Box | None:
    """The part of a picture of `size` (width, height) that the model sees; None: all of it.

    In original pixels, whole only where the crop's edges are. Of tiles, what all of them and the
    overview cover together. Less than a pixel of the model's at an edge is rounding, no crop.

    Raises InputError as `frame_of`.
    """
    part = _covered(frame_of(processor, size))
    if part is None or not shows_tiles(processor):
        return part
    parts = [_covered(view) for view in views_of(processor, size)]
    seen = [each for each in parts if each is not None]
    if len(seen) < len(parts):
        return None
    edges = zip(*map(coords_of, seen), strict=True)
    x1, y1, x2, y2 = (pick(some) for pick, some in zip((min, min, max, max), edges, strict=True))
    return None if (x1, y1, x2, y2) == (0, 0, *size) else Box(x1, y1, x2, y2)


def _covered(view: Frame) -> Box | None:
    """The part of the original that a view shows; None: all of it."""
    part = view.invert(Box(0, 0, *view.model))
    assert isinstance(part, Box)
    width, height = view.original
    x, y = (_ROUNDING / scale for scale in view.scale)
    x1, y1 = (0.0 if edge < least else edge for edge, least in ((part.x1, x), (part.y1, y)))
    x2 = width if part.x2 > width - x else part.x2
    y2 = height if part.y2 > height - y else part.y2
    return None if (x1, y1, x2, y2) == (0, 0, width, height) else Box(x1, y1, x2, y2)


def has_formula(processor: Any) -> bool:
    """Whether the frame is read from the processor's settings, not off pictures."""
    processor = getattr(processor, "image_processor", processor)
    return _unknown_step(processor, _known_class(processor)) is None


def shows_tiles(processor: Any) -> bool:
    """Whether the model sees more of a picture than the one picture of its frame."""
    processor = getattr(processor, "image_processor", processor)
    known = _known_class(processor)
    if _unknown_step(processor, known) is None:
        return _is_tiled(known)
    try:
        return len(probe_views(processor, _LARGE)) > 1
    except InputError:
        return False


def _is_tiled(known: type | None) -> bool:
    return known is not None and _reader(known) in _TILED


def _probe(processor: Any, size: Size, step: str) -> Frame:
    try:
        return probe_frame(processor, size)
    except InputError as error:
        raise InputError(
            f"{type(processor).__name__} moves pixels in its own {step}(), which LocVLM does not "
            f"know, and {error}"
        ) from error


def _known_class(processor: Any) -> type | None:
    mro = type(processor).__mro__
    return next((cls for cls in mro if cls.__name__.removesuffix("Pil") in _OWN), None)


def _reader(known: type) -> Callable[[Any, Size], Frame]:
    return _OWN[known.__name__.removesuffix("Pil")]


def _unknown_step(processor: Any, known: type | None) -> str | None:
    """The first step that moves pixels which the class overrides; None: its formula holds."""
    for step in _STEPS:
        owner = next((c for c in type(processor).__mro__ if step in vars(c)), None)
        if owner not in (None, known) and owner.__module__ not in _STOCK:
            return step
    return None
