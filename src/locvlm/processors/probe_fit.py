"""The frame of a picture from where its pixels come from."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from locvlm.geometry import Frame, Size

LEVELS = 250  # of a ramp of grey: what a pixel tells of its place is that fine
SNAP = 0.15  # model pixels: nearer to a whole number than this is one, as pixels are cut and padded
_FEW = 8  # original pixels: of so few, stretched, the edges look the same cropped and uncropped

Floats = NDArray[np.floating[Any]]


class Origins(NamedTuple):
    """Where the pixels (H, W) of a picture that the model sees come from.

    Columns and rows of the original are 0 … 1, from the middle of the first to that of the last.
    """

    columns: Floats  # (H, W)
    rows: Floats  # (H, W)
    shown: NDArray[np.bool_]  # (H, W) padding shows nothing of the original


class NotAffine(ValueError):
    """The pixels are not the original's, stretched and moved."""


class Fit(NamedTuple):
    """A frame, and how far the pixels are from where it says, in their mean, in model pixels."""

    frame: Frame
    error: float


def fit_frame(origins: Origins, size: Size, *, whole: bool = False) -> Fit:
    """The frame of a picture of `size` (width, height), original pixels.

    `whole`: all of the original is shown, to the edges; the origins may be a little off then.

    Raises NotAffine where the pixels lie in another order: turned, mirrored, cut in pieces.
    """
    columns, rows, shown = origins
    lines, stands = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    x1, x2, y1, y2 = stands[0], stands[-1] + 1, lines[0], lines[-1] + 1
    if not shown[y1:y2, x1:x2].mean() > 0.98:
        raise NotAffine("what is shown of the picture is no rectangle")
    across = _fit_axis(columns[y1:y2, x1:x2], int(x1), size[0], shown.shape[1])
    down = _fit_axis(rows[y1:y2, x1:x2].T, int(y1), size[1], shown.shape[0])
    if whole:
        across = across._replace(scale=float(x2 - x1) / size[0], offset=float(x1))
        down = down._replace(scale=float(y2 - y1) / size[1], offset=float(y1))
    height, width = shown.shape
    frame = Frame(size, (width, height), (across.scale, down.scale), (across.offset, down.offset))
    return Fit(frame, across.error + down.error)


class _Axis(NamedTuple):
    scale: float
    offset: float  # model pixels
    error: float  # model pixels


def _fit_axis(shares: Floats, start: int, length: int, side: int) -> _Axis:
    """Along the second axis of `shares`, whose first pixel is number `start` of the model's `side`.

    `length` is the original's.
    """
    seen = shares.shape[1]
    if length < _FEW and seen == side:
        raise NotAffine(f"{length} pixels are too few to tell")
    if length < 2:
        return _Axis(seen / length, float(start), 0.0)
    grain = max(1.0, length / LEVELS)  # original pixels
    place = shares.mean(0) * (length - 1) + 0.5  # in the original, of each model pixel
    at = np.arange(seen) + 0.5 + start
    spread = float(np.abs(shares * (length - 1) + 0.5 - place).mean())
    pitch = max((place[-1] - place[0]) / max(seen - 1, 1), 0.0)
    if spread > grain + 0.5 * pitch:
        raise NotAffine("its rows are not alike: it is turned, or cut in pieces")
    margin = 2 * max(1.0, pitch) + grain  # resampling is not linear at the edges
    inner = (place > margin) & (place < length - margin)
    if inner.sum() < 8 or np.ptp(place[inner]) < max(2, 4 * grain):
        scale, offset = _fit_ends(place, start, length, grain, pitch)
        return _Axis(scale, offset, spread * scale)
    slope, base = np.polyfit(at[inner], place[inner], 1)
    if slope <= 0:
        raise NotAffine("it is mirrored, or cut in pieces")
    off = np.abs(place[inner] - slope * at[inner] - base)
    if off.max() > 0.6 * (grain + slope):
        raise NotAffine("its pixels do not lie in a line")
    scale, offset = _snap(1 / slope, -base / slope, length)
    return _Axis(scale, offset, float(spread + off.mean()) / slope)


def _fit_ends(
    place: Floats, start: int, length: int, grain: float, pitch: float
) -> tuple[float, float]:
    """Of so few pixels that no line can be laid through them: where the picture begins and ends."""
    slack = grain + 1.5 * pitch + 0.5
    if place[0] > slack or place[-1] < length - slack:
        raise NotAffine("too little of the picture is seen to tell")
    return len(place) / length, float(start)


def _snap(scale: float, offset: float, length: int) -> tuple[float, float]:
    """A picture is resized to whole pixels and moved by whole pixels, as far as that fits."""
    low, high = offset, offset + scale * length
    if max(abs(low - round(low)), abs(high - round(high))) < SNAP:
        low, high = round(low), round(high)
    return float((high - low) / length), float(low)
