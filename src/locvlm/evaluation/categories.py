"""Scores of each category, beside those of all: which ones a model finds, and which it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from locvlm.evaluation.intervals import without_intervals
from locvlm.evaluation.task import ScoredAnswer, Task

CATEGORY = "category"  # among a row's `meta`
N = "n"  # of a category's figures: its questions


def score_categories(
    task: Task, samples: Sequence[Sequence[ScoredAnswer]]
) -> dict[str, dict[str, float]]:
    """Category -> its figures, as ``scores.json`` holds them under ``categories``.

    The figures are those of `Task.category_scores` that have a value, and ``n``, the questions
    behind the first of them. They stand without intervals: there are many categories, and few
    questions about most.

    Args:
        task: what was asked; {} where it has no scores of categories.
        samples: the rows of each sample; a figure is its mean over them.

    Returns:
        the categories with most questions first, then by name.
    """
    if not task.category_scores:
        return {}
    found = dict[str, dict[str, float]]()
    groups = [_group(rows) for rows in samples]
    with without_intervals():
        for name in dict.fromkeys(name for of_sample in groups for name in of_sample):
            figures = _sum_up(task, [of_sample.get(name, []) for of_sample in groups])
            if figures:
                found[name] = figures
    return dict(sorted(found.items(), key=lambda item: (-item[1][N], item[0])))


def _group(rows: Iterable[ScoredAnswer]) -> dict[str, list[ScoredAnswer]]:
    groups: dict[str, list[ScoredAnswer]] = {}
    for row in rows:
        if name := row.meta.get(CATEGORY):
            groups.setdefault(name, []).append(row)
    return groups


def _sum_up(task: Task, samples: Sequence[Sequence[ScoredAnswer]]) -> dict[str, float]:
    scores = [task.summarize(rows, seed=0) for rows in samples if rows]
    figures: dict[str, float] = {}
    for name in task.category_scores:
        values = [s[name].value for s in scores if name in s and s[name].value is not None]
        if values:
            figures.setdefault(N, scores[0][name].n)
            figures[name] = mean(value for value in values if value is not None)
    return figures


def category_columns(categories: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The figures that any of the categories has, in their order, ``n`` first."""
    return list(dict.fromkeys(name for figures in categories.values() for name in figures))


def format_figure(name: str, value: float | None) -> str:
    """One of a category's figures: a count, or a value with three digits; "–" where it has none."""
    if value is None:
        return "–"
    return f"{value:.0f}" if name == N else f"{value:.3f}"


def label_category(name: str, names: Mapping[str, Sequence[str]]) -> str:
    """The words for a category, with the data set's own name behind where that is another.

    `names`: own name -> words, as in ``scores.json``.
    """
    own = next((own for own, words in names.items() if words[0] == name), name)
    return name if own == name else f"{name} ({own})"
