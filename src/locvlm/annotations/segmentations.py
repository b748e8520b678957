"""Boxes of COCO segmentations: polygons, and masks as run lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

Corners = tuple[float, float, float, float]  # x1, y1, x2, y2; pixels

_LONGEST = 1 << 24  # run lengths of one mask; more is none


def bound_segmentation(segmentation: Any) -> Corners | None:
    """The box around a segmentation, in pixels; None where it is none, or empty.

    Args:
        segmentation: a list of polygons ``[x, y, x, y, …]``, a single polygon, or a mask
            ``{"size": [height, width], "counts": …}`` with run lengths as a list or as COCO's text.
    """
    if isinstance(segmentation, list):
        return _bound_polygons(segmentation)
    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if isinstance(counts, str):
            counts = decode_counts(counts)
        if isinstance(size, list) and isinstance(counts, list):
            if not _are_whole(size + counts) or len(size) != 2 or not size[0]:
                return None
            return _bound_runs(counts, size[0])
    return None


def _bound_polygons(polygons: list[Any]) -> Corners | None:
    flat = polygons if polygons and not isinstance(polygons[0], list) else None
    numbers = flat if flat is not None else list(chain(*(p for p in polygons if _is_polygon(p))))
    if flat is not None and not _is_polygon(flat):
        return None
    if not numbers:
        return None
    xs, ys = numbers[::2], numbers[1::2]
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def _is_polygon(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 4
        and len(value) % 2 == 0
        and all(type(n) in (int, float) and math.isfinite(n) for n in value)
    )


def _bound_runs(counts: Sequence[int], height: int) -> Corners | None:
    """Run lengths go down the columns, from left to right, and begin outside of the mask."""
    ends = list(accumulate(counts))
    x1, y1, x2, y2 = math.inf, math.inf, 0, 0
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        if end > start:
            first, last = divmod(start, height), divmod(end - 1, height)
            one_column = first[0] == last[0]
            x1, x2 = min(x1, first[0]), max(x2, last[0] + 1)
            y1 = min(y1, first[1] if one_column else 0)
            y2 = max(y2, last[1] + 1 if one_column else height)
    return (float(x1), float(y1), float(x2), float(y2)) if x2 else None


def decode_counts(text: str) -> list[int] | None:
    """Run lengths from COCO's text; None where it is none.

    Each number is written in digits of five bits, the lowest first; from the fourth on it is the
    difference to the number two before (cocodataset/cocoapi, common/maskApi.c).
    """
    counts: list[int] = []
    value, shift = 0, 0
    for code in text.encode():
        digit = code - 48
        if not 0 <= digit < 64 or shift > 60 or len(counts) > _LONGEST:
            return None
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            if digit & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    return counts if not shift and all(count >= 0 for count in counts) else None


def _are_whole(values: list[Any]) -> bool:
    return all(type(n) is int and n >= 0 for n in values)
