"""Boxes of annotation files, brought into the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from locvlm.errors import InputError
from locvlm.geometry import Box, Size, coords_of

_ROUNDING = 0.01  # pixels; COCO's own files have two decimals, so less is no clipping


def inside(coords: Sequence[float], size: Size, drops: Counter[str], where: str) -> Box | None:
    """The part of a box inside its picture; None where there is none.

    Boxes without area and wholly outside are counted in `drops`, as are those that were clipped.

    Args:
        coords: x1, y1, x2, y2, pixels; a corner before the first one means no area.
        size: width and height of the picture, pixels.
        drops: reason -> how many; added to.
        where: file and place, for the message.

    Raises:
        InputError: a number is not finite.
    """
    x1, y1, x2, y2 = coords
    if not all(map(math.isfinite, coords)):
        raise InputError(f"{where}: {tuple(coords)} are not finite numbers")
    box = Box(x1, y1, max(x1, x2), max(y1, y2))
    kept = box.clip(*size)
    if box.area <= 0:
        drops["boxes without area"] += 1
        return None
    if kept.area <= 0:
        drops["boxes outside the picture"] += 1
        return None
    drops["boxes clipped to the picture"] += _moved(box, kept)
    return kept


def _moved(a: Box, b: Box) -> bool:
    return any(abs(u - v) > _ROUNDING for u, v in zip(coords_of(a), coords_of(b), strict=True))
