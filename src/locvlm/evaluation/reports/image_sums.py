"""Scores as sums over images, from which any draw of images is summed up at once.

Most scores are means over some of the questions: the sum of something over its count. Summed up for
each image alone, a thousand draws of images are one product of matrices instead of a thousand
summaries. Which scores are such is not told, but tried: what the images give must be the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from locvlm.evaluation.intervals import Score, without_intervals
from locvlm.evaluation.task import ScoredAnswer, Task, group_by_meta

Sums = NDArray[np.float64]  # (I, 2): of each image the sum, and the count that it is divided by


def image_names(rows: Sequence[ScoredAnswer]) -> list[str]:
    """The images in the order of their first row."""
    return list(dict.fromkeys(row.image for row in rows))


def sum_by_image(task: Task, rows: Sequence[ScoredAnswer], *, seed: int = 0) -> dict[str, Sums]:
    """The scores of `rows` that are means, by image (see `image_names`).

    A score that is no mean of its questions, such as F1, is left out.
    """
    by_image: dict[str, list[ScoredAnswer]] = {}
    for row in rows:
        by_image.setdefault(row.image, []).append(row)
    with without_intervals():
        whole = task.summarize(rows, seed=seed)
        each = [task.summarize(of, seed=seed) for of in by_image.values()]
    found = {name: _sums_of(name, each) for name in whole}
    return {name: sums for name, sums in found.items() if _is_mean(whole[name], sums)}


def sum_groups(rows: Sequence[ScoredAnswer], values: Sequence[float], key: str) -> dict[str, Sums]:
    """The mean of `values`, one per row, in each group of ``meta[key]``, by image."""
    place = {name: i for i, name in enumerate(image_names(rows))}
    groups = {name: np.zeros((len(place), 2)) for name in group_by_meta(rows, key)}
    for row, value in zip(rows, values, strict=True):
        groups[row.meta[key]][place[row.image]] += (value, 1)
    return groups


def draw_means(sums: Sums, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """A score of each draw, ``(D,)``; nan where a draw has nothing of it.

    Args:
        sums: of the score.
        counts: (D, I): how often each image is in each draw.
    """
    total = counts @ sums
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total[:, 0] / total[:, 1])


def _sums_of(name: str, each: Sequence[Mapping[str, Score]]) -> Sums:
    sums = np.zeros((len(each), 2))
    for place, scores in enumerate(each):
        score = scores.get(name)
        if score is not None and score.value is not None:
            sums[place] = (score.value * score.n, score.n)
    return sums


def _is_mean(whole: Score, sums: Sums) -> bool:
    total, count = sums.sum(axis=0).tolist()
    if count != whole.n:
        return False
    return whole.value is None or abs(total / count - whole.value) < 1e-9 * max(1.0, whole.value)
