"""Where in a processor's output the pixels of a picture lie: every layout that is known of.

A layout is told by numbers alone: of each picture that the model sees (the whole, or tiles) the
array (H, W, 3) of places in the flattened output that hold its pixels; -1: nowhere. Which of the
candidates is right is found by what they show (`locvlm.processors.probe`), not by a class's name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.integer[Any]]  # (H, W, 3)
Pictures = list[Places]

_GRIDS = (  # (pictures, 2 | 3)
    *("image_grid_thw", "spatial_shapes", "target_sizes", "image_grid_hws", "image_grid_hw"),
)
_PATCH = 32  # pixels; what is larger is a tile


def candidates(
    shape: tuple[int, ...], sizes: Mapping[str, NDArray[Any]], processor: Any
) -> Iterator[Pictures]:
    """The ways in which an output of this shape may hold pictures, the likeliest first.

    Args:
        shape: of the output; its last axes are (3, H, W), (H, W, 3) or (patches, numbers).
        sizes: the processor's other outputs, which may hold the patches' grid or positions.
        processor: may say how patches lie together (`merge_size`).
    """
    index = np.arange(math.prod(shape), dtype=np.int32).reshape(shape)
    grids = _grids(sizes)
    if len(shape) >= 3 and shape[-3] in (1, 3):
        yield [_colored(np.moveaxis(view, 0, -1)) for view in index.reshape(-1, *shape[-3:])]
        yield from _strip(index, grids)
    if len(shape) >= 3 and shape[-1] in (1, 3):
        yield [_colored(view) for view in index.reshape(-1, *shape[-3:])]
    yield from _squares(index)
    for patches in _patches(index):
        if (places := _positions(sizes)) is not None and len(places) == len(patches):
            yield [_by_position(patches, places)]
        for order in _orders(processor):
            if grids and sum(h * w for h, w in grids) <= len(patches):
                yield _by_grid(patches, grids, order)


def _colored(view: Places) -> Places:
    """(H, W, 3) of one with 3 channels, or one of grey."""
    return np.broadcast_to(view, (*view.shape[:2], 3))


def _grids(sizes: Mapping[str, NDArray[Any]]) -> list[tuple[int, int]]:
    """(rows, columns) of patches of every picture."""
    for name in _GRIDS:
        if name in sizes and sizes[name].size:
            rows = sizes[name].reshape(-1, sizes[name].shape[-1])
            return [(int(row[-2]), int(row[-1])) for row in rows]
    if "rows" in sizes and "cols" in sizes and sizes["rows"].size == sizes["cols"].size:
        pairs = zip(sizes["rows"].ravel(), sizes["cols"].ravel(), strict=True)
        return [(int(h), int(w)) for h, w in pairs]
    return []


def _positions(sizes: Mapping[str, NDArray[Any]]) -> Places | None:
    """(patches, 2) x and y of every patch on its grid; below 0: padding."""
    name = next((n for n in ("image_position_ids", "pixel_position_ids") if n in sizes), None)
    return None if name is None else sizes[name].reshape(-1, 2).astype(np.int64)


def _patches(index: Places) -> Iterator[Places]:
    """(patches, p, p, 3): the places of every patch."""
    if index.ndim == 4 and index.shape[1] == 3 and index.shape[2] == index.shape[3] <= _PATCH:
        yield np.moveaxis(index.reshape(-1, *index.shape[-3:]), 1, -1)
        return
    numbers = index.shape[-1]
    flat = index.reshape(-1, numbers)
    for times in (1, 2):  # Qwen's are two moments deep
        side = math.isqrt(numbers // (3 * times))
        if side > 1 and 3 * times * side * side == numbers:
            yield np.moveaxis(flat.reshape(-1, 3, times, side, side)[:, :, 0], 1, -1)
            yield flat.reshape(-1, times, side, side, 3)[:, 0]


def _orders(processor: Any) -> list[int]:
    """How many patches lie together along a side, in the order of the output; 1: row by row."""
    found = (getattr(processor, name, None) for name in ("merge_size", "spatial_merge_size"))
    return list(dict.fromkeys([*(int(n) for n in found if n), 1, 2]))


def _by_grid(patches: Places, grids: list[tuple[int, int]], merge: int) -> Pictures:
    pictures, start = [], 0
    for height, width in grids:
        if height < 1 or width < 1 or height % merge or width % merge:
            return []
        mine = patches[start : start + height * width]
        start += height * width
        side = mine.shape[1]
        blocks = mine.reshape(height // merge, width // merge, merge, merge, side, side, 3)
        picture = blocks.transpose(0, 2, 4, 1, 3, 5, 6)
        pictures.append(picture.reshape(height * side, width * side, 3))
    return pictures


def _by_position(patches: Places, places: Places) -> Places:
    real = (places >= 0).all(1)
    width, height = places[real].max(0) + 1
    side = patches.shape[1]
    picture = np.full((height, width, side, side, 3), -1, np.int32)
    picture[places[real, 1], places[real, 0]] = patches[real]
    return picture.transpose(0, 2, 1, 3, 4).reshape(height * side, width * side, 3)


def _squares(index: Places) -> Iterator[Pictures]:
    """Tiles that are squares of patches, row by row, each from its corner: Molmo 2."""
    if index.ndim != 3:
        return
    tiles, count, numbers = index.shape
    grid, side = math.isqrt(count), math.isqrt(numbers // 3)
    if grid < 2 or grid**2 != count or side < 2 or 3 * side**2 != numbers:
        return
    for patches in (
        index.reshape(tiles * count, side, side, 3),
        np.moveaxis(index.reshape(tiles * count, 3, side, side), 1, -1),
    ):
        yield _by_grid(patches, [(grid, grid)] * tiles, 1)


def _strip(index: Places, grids: list[tuple[int, int]]) -> Iterator[Pictures]:
    """All patches side by side in one picture that is a patch high: MiniCPM-V."""
    side, length = index.shape[-2:]
    fits = grids and sum(h * w for h, w in grids) * side <= length and length % side == 0
    if fits and index.shape[-3] == 3:
        strip = index.reshape(-1, 3, side, length)[0]
        yield _by_grid(strip.reshape(3, side, -1, side).transpose(2, 1, 3, 0), grids, 1)
