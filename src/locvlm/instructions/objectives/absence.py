"""Which categories that are surely absent are asked about, of many pictures at once."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from locvlm.instructions.instruction_columns import TextColumn
from locvlm.instructions.objectives.base import QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.random_draws import WHICH, Draws

CELLS = 1 << 22  # of a table, picture by category, that is made at once
_NEVER = np.uint64(2**64 - 1)
_NUMBER = np.uint64(2**24 - 1)  # the bits of a draw that say whose it is

AbsentCategories = tuple[NDArray[np.int64], TextColumn]


def draw_absent(
    batch: ImageBatch, context: QuestionContext, counts: NDArray[np.int64], keys: NDArray[np.uint64]
) -> AbsentCategories:
    """At most `counts` (N,) categories of each picture, in random order.

    Returns:
        (M,) the index of the picture, in order, and the names.
    """
    if context.negatives.cooccurrence is not None:
        return _choose_by_rank(batch, context, counts, keys)
    names, sure = _annotated_names(batch, context)
    columns = np.array(
        [batch.category_index.get(name, len(batch.category_index)) for name in names], np.int64
    )
    found = list(_draw_random(batch, sure, columns, counts, keys))
    image_index, codes = (np.concatenate(some) for some in zip(*found, strict=True))
    return image_index, TextColumn(codes, names)


def _choose_by_rank(
    batch: ImageBatch, context: QuestionContext, counts: NDArray[np.int64], keys: NDArray[np.uint64]
) -> AbsentCategories:
    """By a table of the whole data set."""
    rows, names = list[int](), list[str]()
    for row, image in enumerate(batch.images):
        absent, rng = image.absent_of(context.can_be_absent), random.Random(int(keys[row]))
        some = context.negatives.choose(absent, image, int(counts[row]), rng)
        rows += [row] * len(some)
        names += some
    return np.array(rows, np.int64), TextColumn(np.arange(len(names)), names)


def _annotated_names(
    batch: ImageBatch, context: QuestionContext
) -> tuple[list[str], NDArray[np.int64]]:
    """Names, and (N or 1, L) which of them are absent from a picture if they are not present.

    -1 where a picture has fewer than L.
    """
    lists = [image.absent for image in batch.images.bare]
    sought = context.can_be_absent
    names = dict.fromkeys(sought)
    if all(some is None for some in lists):
        return list(sought), np.arange(len(sought))[None]
    for some in lists:
        names |= dict.fromkeys(some or ())
    index = {name: number for number, name in enumerate(names)}
    sure = [[index[name] for name in (sought if some is None else some)] for some in lists]
    table = np.full((len(sure), max(map(len, sure))), -1, np.int64)
    for row, columns in enumerate(sure):
        table[row, : len(columns)] = columns
    return list(names), table


def _draw_random(
    batch: ImageBatch,
    sure: NDArray[np.int64],
    columns: NDArray[np.int64],
    counts: NDArray[np.int64],
    keys: NDArray[np.uint64],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pictures and names, some pictures after the other.

    Each name has a draw; the lowest ones are taken, in their order. A draw ends in the number of
    its name, so that no two are the same.
    """
    count, most = sure.shape[1], int(counts.max(initial=0))
    step = max(1, CELLS // max(count, len(batch.category_index), 1))
    column = np.arange(count, dtype=np.uint64)
    columns = np.append(columns, len(batch.category_index))  # what -1 leads to
    for start in range(0, max(len(batch), 1), step):
        rows = slice(start, min(start + step, len(batch)))
        codes = sure[rows] if len(sure) > 1 else sure
        present = np.take_along_axis(batch.present(rows), columns[codes], 1)
        scores = Draws(keys[rows, None], column[None].astype(np.int64)).bits(WHICH)
        scores = np.where(present | (codes < 0), _NEVER, scores & ~_NUMBER | column)
        if most < count:
            scores = np.partition(scores, most, axis=1)[:, :most]
        scores.sort(axis=1)
        is_drawn = (scores != _NEVER) & (np.arange(scores.shape[1]) < counts[rows, None])
        row, rank = np.nonzero(is_drawn)
        number = (scores[row, rank] & _NUMBER).astype(np.int64)
        yield row + start, codes[row if len(codes) > 1 else 0, number]
