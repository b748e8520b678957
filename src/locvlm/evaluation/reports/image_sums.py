"""Scores as sums over images, from which any draw of images is summed up at once.

Most scores are means over some of the questions: the sum of something over its count. Summed up for
each image alone, a thousand draws of images are one product of matrices instead of a thousand
summaries. Which scores are such is not told, but tried: what the images give must be the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from locvlm.evaluation.intervals import Score, without_intervals
from locvlm.evaluation.task import ScoredAnswer, Task, group_by_meta

Sums = NDArray[np.float64]  # (I, 2): of each image the sum, and the count that it is divided by
_SCORES, _CELLS = 32, 2_000_000  # that are drawn at once: scores, and numbers of the counts


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
        each = _summarize_each(task, list(by_image.values()), seed)
    found = {name: _sums_of(name, each) for name in whole}
    return {name: sums for name, sums in found.items() if _is_mean(whole[name], sums)}


def _summarize_each(
    task: Task, images: Sequence[Sequence[ScoredAnswer]], seed: int
) -> list[dict[str, Score]]:
    """The scores of each image; images whose rows were scored alike are summed up once."""
    known: dict[Any, dict[str, Score]] = {}
    each = []
    for rows in images:
        alike = tuple(
            (row.expected, row.hit, *row.values.items(), *row.meta.items()) for row in rows
        )
        if alike not in known:
            known[alike] = task.summarize(rows, seed=seed)
        each.append(known[alike])
    return each


def sum_groups(rows: Sequence[ScoredAnswer], values: Sequence[float], key: str) -> dict[str, Sums]:
    """The mean of `values`, one per row, in each group of ``meta[key]``, by image."""
    place = {name: i for i, name in enumerate(image_names(rows))}
    groups = {name: np.zeros((len(place), 2)) for name in group_by_meta(rows, key)}
    for row, value in zip(rows, values, strict=True):
        groups[row.meta[key]][place[row.image]] += (value, 1)
    return groups


def draw_means(sums: Sequence[Sums], counts: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Scores of each draw, ``(D,)`` each; nan where a draw has nothing of one.

    Args:
        sums: of each score.
        counts: (D, I): how often each image is in each draw.
    """
    found: list[NDArray[np.float64]] = []
    for start in range(0, len(sums), _SCORES):
        columns = np.concatenate(sums[start : start + _SCORES], axis=1)  # (I, 2 of each score)
        step = max(1, _CELLS // max(1, counts.shape[1]))
        parts = (counts[at : at + step] for at in range(0, len(counts), step))
        total = np.concatenate([part.astype(np.float64) @ columns for part in parts])
        with np.errstate(invalid="ignore", divide="ignore"):
            found += list((total[:, ::2] / total[:, 1::2]).T)
    return found


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
