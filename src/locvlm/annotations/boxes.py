"""Boxes of annotation files, brought into the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import Object
from locvlm.annotations.drops import Drops, note
from locvlm.errors import InputError
from locvlm.geometry import Box, Size, coords_of
from locvlm.io.reading import one_line

NO_AREA, OUTSIDE = "boxes without area", "boxes outside the picture"
CLIPPED, NOT_FINITE = "boxes clipped to the picture", "boxes whose numbers are not finite"
_ROUNDING = 0.01  # pixels; COCO's own files have two decimals, so less is no clipping


@dataclass(slots=True)
class ImageFindings:
    """What a reader finds in one picture: objects, and categories that are there without a box."""

    objects: list[Object] = field(default_factory=list)
    boxless: dict[str, None] = field(default_factory=dict)  # in order, each once

    def add(self, category: str, box: Box | None, **fields: Any) -> None:
        """An object; without a box its category is there all the same. Fields as of `Object`."""
        if box is None:
            self.boxless[category] = None
        else:
            self.objects.append(Object(category, box, **fields))

    def fields(self) -> dict[str, Any]:
        """As the fields of an `AnnotatedImage`."""
        return {"objects": tuple(self.objects), "not_exhaustive": tuple(self.boxless)}


def clip_box(coords: Sequence[float], size: Size, drops: Counter[str], where: str) -> Box | None:
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
    inside = box.clip(*size)
    if isinstance(drops, Drops):
        drops.see_box(coords, size)
    if box.area <= 0:
        note(drops, NO_AREA, where)
        return None
    if inside.area <= 0:
        note(drops, OUTSIDE, where)
        return None
    if _differ(box, inside):
        note(drops, CLIPPED, where)
    return inside


def clip_boxes(
    corners: NDArray[np.float64],
    sizes: Sequence[Size] | NDArray[np.int64],
    drops: Counter[str],
    where: Callable[[int], str],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """As `clip_box` for M boxes at once.

    Args:
        corners: (M, 4) x1, y1, x2, y2, pixels.
        sizes: (M, 2) width and height of the picture of each.
        drops: reason -> how many; added to.
        where: file and place of a row, for the message.

    Returns:
        (M, 4) the parts inside, and (M,) False where there is none.
    """
    finite = np.asarray(np.isfinite(corners).all(axis=1))
    if len(corners) and not finite.any():
        raise InputError(f"{where(0)}: {tuple(corners[0].tolist())} are not finite numbers")
    if not finite.all():
        corners = np.where(finite[:, None], corners, 0)
    low, high = corners[:, :2], np.maximum(corners[:, 2:], corners[:, :2])
    border = np.array(sizes, np.float64).reshape(-1, 2)
    inside = np.hstack([np.clip(low, 0, border), np.clip(high, 0, border)])
    empty = np.any(high <= low, axis=1)
    some = ~empty & np.all(inside[:, 2:] > inside[:, :2], axis=1)
    moved = np.any(np.abs(inside - np.hstack([low, high])) > _ROUNDING, axis=1)
    for reason, marks in (
        (NOT_FINITE, ~finite),
        (NO_AREA, empty & finite),
        (OUTSIDE, ~empty & ~some),
        (CLIPPED, some & moved),
    ):
        drops[reason] += int(marks.sum())
        if isinstance(drops, Drops) and marks.any():
            drops.examples.setdefault(reason, one_line(where(int(np.argmax(marks)))))
    if isinstance(drops, Drops):
        drops.see_boxes(corners[finite], border[finite])
    return inside, some


def _differ(a: Box, b: Box) -> bool:
    return any(abs(u - v) > _ROUNDING for u, v in zip(coords_of(a), coords_of(b), strict=True))
