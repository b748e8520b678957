"""Boxes that are there twice in an image, of the same category and to the last digit.

Two people or two exports drew the same thing, and merging kept both. As two things it would never
be asked about, for it is not the only one, and be counted as two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages, ObjectColumns
from locvlm.annotations.drops import note

REASON = "boxes that an image has twice, of one category, one kept"
_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_ODD = np.concatenate([_ODD, _ODD * np.uint64(5), _ODD[:1] * np.uint64(7)])  # 7


def drop_repeated(data: AnnotationSet) -> AnnotationSet:
    """`data` with each box of a category once in an image; the others are counted in ``drops``.

    Descriptions of those that are left out go to the one that is kept.
    """
    images = ColumnarImages.of(data.images, data.categories)
    objects, places = images.objects, images.image_index()
    first_of = _find_repeated(objects, places)
    if not first_of:
        return data
    row = next(iter(first_of))
    name, key = images.bare[places[row]].file_name, objects.ids[row]
    category = objects.names[objects.categories[row]]
    note(data.drops, REASON, f"{data.source}: {name}, {category}, id {key!r}")
    data.drops[REASON] += len(first_of) - 1
    kept = np.ones(len(places), np.bool_)
    kept[list(first_of)] = False
    starts = np.searchsorted(places[kept], np.arange(len(images) + 1))
    columns = replace(objects, descriptions=_joined(objects, first_of)).take(np.flatnonzero(kept))
    dropped = ColumnarImages(images.bare, starts, columns)
    plain: Sequence[AnnotatedImage] = (
        dropped if isinstance(data.images, ColumnarImages) else tuple(dropped)
    )
    return replace(data, images=plain)


def _find_repeated(objects: ObjectColumns, places: NDArray[np.int64]) -> dict[int, int]:
    """Row -> that of the first with the same image, category, crowd and box."""
    bits = np.ascontiguousarray(objects.boxes + 0.0).view(np.uint64)  # -0.0 is 0.0
    others = (places, objects.categories, objects.crowds)
    columns = (*bits.T, *(item.astype(np.uint64) for item in others))
    hashes = np.zeros(len(places), np.uint64)
    with np.errstate(over="ignore"):
        for column, factor in zip(columns, _ODD, strict=True):
            hashes += column * factor
    ordered = np.sort(hashes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return {}
    first: dict[Any, int] = {}
    found = {}
    for row in np.flatnonzero(np.isin(hashes, twice)).tolist():
        before = first.setdefault(tuple(column[row] for column in columns), row)
        if before != row:
            found[row] = before
    return found


def _joined(objects: ObjectColumns, first_of: dict[int, int]) -> list[tuple[str, ...]] | None:
    if objects.descriptions is None:
        return None
    texts = list(objects.descriptions)
    for row, first in first_of.items():
        texts[first] = tuple(dict.fromkeys((*texts[first], *texts[row])))
    return texts
