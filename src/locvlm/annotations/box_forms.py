"""The forms in which files write boxes, where they are not what a reader's format says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.geometry import Size

Corners = tuple[float, float, float, float]
SHARES = "shares"  # alone: in the format's own order


def to_corners(
    numbers: NDArray[np.float64], sizes: NDArray[Any], form: str | None, own: str
) -> NDArray[np.float64]:
    """(M, 4) x1, y1, x2, y2 in pixels.

    Args:
        numbers: (M, 4) as the file has them.
        sizes: (M, 2) width and height of the pictures, pixels.
        form: a `readers.BoxForm`; None: `own`.
        own: the order that the format has: ``xywh``, ``xyxy`` or ``cxcywh``.
    """
    order = own if form in (None, SHARES) else str(form).removeprefix(f"{SHARES}-")
    first, second = numbers[:, :2], numbers[:, 2:]
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number is told later
        if order == "xywh":
            corners = np.hstack([first, first + second])
        elif order == "cxcywh":
            corners = np.hstack([first - second / 2, first + second / 2])
        else:
            corners = numbers
        if form is not None and form.startswith(SHARES):
            corners = corners * np.hstack([sizes, sizes])
    return corners


def corners_of(numbers: Sequence[float], size: Size, form: str | None, own: str) -> Corners:
    """As `to_corners` for one box in a picture of `size`."""
    table = to_corners(np.array([numbers], np.float64), np.array([size]), form, own)
    x1, y1, x2, y2 = table[0].tolist()
    return x1, y1, x2, y2


def from_corners(corners: NDArray[np.float64], own: str) -> NDArray[np.float64]:
    """(M, 4) the numbers that a file of the order `own` has for them; pixels."""
    low, high = corners[:, :2], corners[:, 2:]
    if own == "xywh":
        return np.hstack([low, high - low])
    if own == "cxcywh":
        return np.hstack([(low + high) / 2, high - low])
    return corners
