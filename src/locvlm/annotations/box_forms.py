"""The forms in which files write boxes, where they are not what a reader's format says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from locvlm.geometry import Size

if TYPE_CHECKING:
    from locvlm.annotations.form_names import Unit

Corners = tuple[float, float, float, float]
SHARES = "shares"  # alone: in the format's own order


def to_corners(
    numbers: NDArray[np.float64], sizes: NDArray[Any], form: str | None, own: str
) -> NDArray[np.float64]:
    """(M, 4) x1, y1, x2, y2 in pixels.

    Args:
        numbers: (M, 4) as the file has them.
        sizes: (M, 2) width and height of the pictures, pixels.
        form: a `BoxForm`; None: `own`.
        own: the order that the format has: ``xywh``, ``xyxy`` or ``cxcywh``.
    """
    order = own if form in (None, SHARES) else str(form).removeprefix(f"{SHARES}-")
    first, second = numbers[:, :2], numbers[:, 2:]
    with np.errstate(over="ignore", invalid="ignore"):  # what is no number is told later
        if order == "xywh":
            corners = np.hstack([first, first + second])
        elif order == "cxcywh":
            corners = np.hstack([first - second / 2, first + second / 2])
        elif order == "yxyx":
            corners = np.hstack([first[:, ::-1], second[:, ::-1]])
        else:
            corners = numbers
        if form is not None and form.startswith(SHARES):
            corners = corners * np.hstack([sizes, sizes])
    return corners


def corners_of(numbers: Sequence[float], size: Size, form: str | None, own: str) -> Corners:
    """As `to_corners` for one box in a picture of `size`."""
    order = own if form in (None, SHARES) else str(form).removeprefix(f"{SHARES}-")
    x1, y1, x2, y2 = map(float, numbers)
    if order == "xywh":
        x2, y2 = x1 + x2, y1 + y2
    elif order == "cxcywh":
        x1, y1, x2, y2 = x1 - x2 / 2, y1 - y2 / 2, x1 + x2 / 2, y1 + y2 / 2
    elif order == "yxyx":
        x1, y1, x2, y2 = y1, x1, y2, x2
    if form is not None and form.startswith(SHARES):
        width, height = size
        return x1 * width, y1 * height, x2 * width, y2 * height
    return x1, y1, x2, y2


def unit_of(form: str) -> Unit:
    """What the numbers of a `BoxForm` count."""
    return "shares" if form.startswith(SHARES) else "pixels"


def unit_sizes(sizes: NDArray[Any], unit: Unit) -> NDArray[np.float64]:
    """(M, 4) pixels of one of the `unit` across, down, across, down, for (M, 2) `sizes`."""
    per = {"pixels": np.ones_like(sizes, np.float64), "shares": sizes, "percent": sizes / 100}
    return np.hstack([per[unit], per[unit]]).astype(np.float64)


def from_corners(corners: NDArray[np.float64], own: str) -> NDArray[np.float64]:
    """(M, 4) the numbers that a file of the order `own` has for them; pixels."""
    low, high = corners[:, :2], corners[:, 2:]
    if own == "xywh":
        return np.hstack([low, high - low])
    if own == "cxcywh":
        return np.hstack([(low + high) / 2, high - low])
    return corners
