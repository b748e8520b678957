"""What any image processor does to a picture, read off pictures that it is given.

Four grey pictures of the size in question are processed: black, white, one that grows brighter
from left to right and one that does from top to bottom. Every number of the output then tells by
itself which column and row of the original it shows, or that it is padding, whatever it was
normalized by. No class needs to be known, nothing of transformers is imported:

>>> from locvlm.processors.probe import probe_frame, probe_views   # doctest: +SKIP
>>> probe_frame(processor, (640, 427))      # one Frame: of the whole picture  # doctest: +SKIP
>>> probe_views(processor, (640, 427))      # a Frame for each tile, too       # doctest: +SKIP

Both take a processor or its `.image_processor`, with torchvision or PIL, and raise InputError in
one line where it cannot be told. A size costs what four of its pictures cost to process (tens of
milliseconds), once: the answers are kept per settings and size. `locvlm.processors.frame_of` asks
here by itself for what it has no formula for; call that one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size
from locvlm.processors.probe_fit import LEVELS, Floats, NotAffine, Origins, fit_frame
from locvlm.processors.probe_layouts import Places, candidates

TILT = 5  # levels of grey that a ramp rises the other way
_Number = TypeVar("_Number", bound=np.generic)
_KEPT = 20_000  # answers
_LARGEST = 100_000_000  # pixels of a picture that is made to be looked at
_NAMES = ("pixel_values", "images", "flattened_patches")  # of outputs with pixels, by preference
_BFLOAT16 = "torch.bfloat16"
_answers: OrderedDict[tuple[Any, ...], tuple[Frame, ...]] = OrderedDict()


def probe_frame(processor: Any, size: Size) -> Frame:
    """The frame of the whole picture (width, height) as the model sees it.

    Of tiles with an overview, the overview's; of tiles alone, that of the picture that they make
    together. Raises InputError where it cannot be told.
    """
    return whole_frame(probe_views(processor, size))


def probe_views(processor: Any, size: Size) -> tuple[Frame, ...]:
    """The frame of each picture that the model sees of one of `size` (width, height).

    One, or the tiles and the overview in the order of the output; of a tile, the part of the
    original that it covers is `frame.invert(Box(0, 0, *frame.model))`.

    Raises InputError where it cannot be told.
    """
    processor = getattr(processor, "image_processor", processor)
    key = (type(processor), repr(sorted(vars(processor).items(), key=lambda i: i[0])), size)
    if key not in _answers:
        _answers[key] = tuple(view.frame for view in look(processor, size))
        if len(_answers) > _KEPT:
            _answers.popitem(last=False)
    return _answers[key]


def whole_frame(views: tuple[Frame, ...]) -> Frame:
    """Of several pictures, that of the one that shows the whole; else of all of them together."""
    shares = [_seen_share(view) for view in views]
    best = int(np.argmax(shares))
    others = [share for i, share in enumerate(shares) if i != best]
    if not others or shares[best] > 0.98 or shares[best] > 1.5 * max(others):
        return views[best]
    scales = np.array([view.scale for view in views])
    if np.ptp(scales, axis=0).max() > 0.02 * scales.max():
        return views[best]
    left, top = (max(view.offset[i] for view in views) for i in (0, 1))
    right, bottom = (max(view.model[i] - view.offset[i] for view in views) for i in (0, 1))
    whole = (round(left + right), round(top + bottom))
    scale = scales.mean(0)
    return Frame(views[0].original, whole, (float(scale[0]), float(scale[1])), (left, top))


def _seen_share(view: Frame) -> float:
    """The share of the original that the model sees in it."""
    seen = view.apply(Box(0, 0, *view.original))
    assert isinstance(seen, Box)
    return seen.clip(*view.model).area / seen.area


@dataclass(frozen=True)
class View:
    """One picture that the model sees, and where in the processor's output it is."""

    frame: Frame
    key: str  # of the output
    places: Places  # (H, W, 3) in the flattened output, -1: nowhere
    dark: Floats  # (H, W, 3) what black is there
    light: Floats  # (H, W, 3) what white is; all as `dark` where pictures have their own scale


def look(processor: Any, size: Size) -> list[View]:
    """What the model sees of a picture (width, height): at least one picture. Nothing is kept.

    Raises InputError where it cannot be told.
    """
    name = type(processor).__name__
    if min(size) < 1:
        raise ValueError(f"original size must be (width, height) of at least 1, not {size}")
    if size[0] * size[1] > _LARGEST:
        raise InputError(f"{name}: a picture of {size[0]} x {size[1]} pixels is too large to probe")
    if getattr(processor, "do_crop_margin", False):
        raise InputError(
            f"{name} cuts margins off by what is in a picture; set do_crop_margin to false"
        )
    outputs = [process(processor, image) for image in _pictures(size)]
    views: list[View] = []
    reason = "its output has no pixels"
    for key in _pixel_keys(outputs[0]):
        parts = [np.ascontiguousarray(output[key], np.float32) for output in outputs]
        if len({part.shape for part in parts}) > 1:
            reason = "pictures of one size come out in different ones"
            continue
        others = outputs[0]
        if key == "flattened_patches":  # Pix2Struct's begin with their row and column, from 1
            others = {"image_position_ids": parts[0][..., 1::-1] - 1}
        found, reason = _read(key, parts, others, processor, size)
        views += found
    if not views:
        raise InputError(
            f"{name}: what it does to a picture of {size[0]} x {size[1]} pixels cannot be read off "
            f"its output ({reason})"
        )
    return views


def show(view: View, output: Mapping[str, Any]) -> NDArray[np.uint8]:
    """(H, W, 3) the picture of a `view` in what `process` gives for a picture of its size."""
    pixels = take(np.asarray(output[view.key], np.float32), view.places)
    contrast = view.light - view.dark
    if not contrast.any():  # normalized by its own mean
        low, high = pixels.min(), pixels.max()
        return np.rint(255 * (pixels - low) / max(high - low, 1e-9)).astype(np.uint8)
    colors = 255 * (pixels - view.dark) / np.where(contrast, contrast, np.inf)
    return np.rint(np.clip(colors, 0, 255)).astype(np.uint8)


def take(values: NDArray[_Number], places: Places, nowhere: int = 0) -> NDArray[_Number]:
    """What is at `places` of the flattened `values`, and `nowhere` at -1."""
    if places.size and places.min() < 0:
        return np.append(values.ravel(), np.array(nowhere, values.dtype))[places]
    return values.reshape(-1)[places]  # a copy for each of hundreds of tiles would take long


def _pictures(size: Size) -> Iterator[Image.Image]:
    """Black, white, brighter to the right, brighter downwards.

    A ramp rises a little the other way, too, so that rows round their greys differently and their
    mean is finer than a level of grey.
    """
    x, y = (np.linspace(0, 1, n) if n > 1 else np.zeros(1) for n in size)
    x, y = x[None, :], y[:, None]
    for grey in (0.0 * x, 255 + 0.0 * x, LEVELS * x + TILT * y, LEVELS * y + TILT * x):
        plane = np.broadcast_to(np.rint(grey).astype(np.uint8), (size[1], size[0]))
        yield Image.fromarray(np.stack([plane] * 3, axis=-1))


def process(processor: Any, image: Image.Image) -> Mapping[str, Any]:
    """All outputs of the processor for one picture. Raises InputError where it cannot take it."""
    problem: Exception | None = None
    for tensors in ("np", "pt"):
        try:
            out = processor(images=[image], return_tensors=tensors)
            named = out if isinstance(out, Mapping) else {"pixel_values": out}
            return {name: _as_array(value) for name, value in named.items()}
        except Exception as error:  # whatever its code may raise
            problem = problem or error
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    raise InputError(
        f"{type(processor).__name__} cannot take a picture of {image.width} x {image.height} "
        f"pixels: {lines[0][:200]}"
    ) from problem


def _as_array(value: Any) -> NDArray[Any]:
    """NumPy has no bfloat16, which Llama 4's pixels are."""
    return np.asarray(value.float() if str(getattr(value, "dtype", "")) == _BFLOAT16 else value)


def _pixel_keys(outputs: Mapping[str, Any]) -> list[str]:
    """The outputs that hold pixels: one, and DeepSeek's tiles."""
    numbers = {k for k, v in outputs.items() if v.dtype.kind in "fiu" and v.ndim >= 2 and v.size}
    others = sorted(name for name in numbers if "pixel_values" in name and "local" not in name)
    named = [name for name in (*_NAMES, *others) if name in numbers][:1]
    return named + sorted(k for k in numbers if "pixel_values_local" in k)


def _read(
    key: str, parts: list[Floats], others: Mapping[str, Any], processor: Any, size: Size
) -> tuple[list[View], str]:
    """The pictures in the output `key`; none, and why, where no layout fits.

    `parts` are that output of the four pictures, of any shape; `others` are beside it.
    """
    if not all(np.isfinite(part).all() for part in parts):
        return [], "its numbers are not finite"
    indices = np.arange(parts[0].size, dtype=np.int32).reshape(parts[0].shape)
    if key == "flattened_patches":
        parts, indices = [part[..., 2:] for part in parts], indices[..., 2:]
    contrast = _contrast(parts)
    reason = f"an unknown layout, {' x '.join(map(str, parts[0].shape))}"
    best: list[View] = []
    least = np.inf
    for pictures in candidates(parts[0].shape, others, processor):
        views, error = [], 0.0
        try:
            for at in pictures:
                origins = _origins([take(part, at[..., 0]) for part in parts], contrast)
                if not origins.shown.any():  # a tile that this picture does not need
                    continue
                fit = fit_frame(origins, size, whole=not contrast)
                dark, light = (take(part, at) * bool(contrast) for part in parts[:2])
                views.append(View(fit.frame, key, take(indices, at, -1), dark, light))
                error += fit.error / len(pictures)
        except NotAffine as problem:
            reason = str(problem)
            continue
        if views and error < 0.9 * least:
            best, least = views, error
    return best, reason


def _contrast(parts: list[Floats]) -> float:
    """How far white is from black at most; 0 where each picture is normalized by its own mean."""
    dark, light, *ramps = parts
    most = float(np.abs(light - dark).max())
    return most if most > 0.05 * np.ptp(ramps[0]) else 0.0


def _origins(parts: list[Floats], contrast: float) -> Origins:
    """Where the pixels (H, W) of a picture come from, by what they are of the four pictures."""
    dark, light, *ramps = parts
    if contrast:
        shown = np.abs(light - dark) > 0.5 * contrast
        greys = [255 * (ramp - dark) / np.where(shown, light - dark, 1.0) for ramp in ramps]
    else:
        shown = (ramps[0] != 0) | (ramps[1] != 0)
        if not shown.any():
            return Origins(dark, dark, shown)
        lows = [ramp[shown].min() for ramp in ramps]
        highs = [ramp[shown].max() for ramp in ramps]
        greys = [
            (LEVELS + TILT) * (ramp - low) / max(high - low, 1e-9)
            for ramp, low, high in zip(ramps, lows, highs, strict=True)
        ]
    determinant = LEVELS**2 - TILT**2
    columns = (LEVELS * greys[0] - TILT * greys[1]) / determinant
    rows = (LEVELS * greys[1] - TILT * greys[0]) / determinant
    return Origins(columns, rows, shown)
