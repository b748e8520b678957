"""The looks of a stage so far, as the log has them: which was best, and how many came after it.

A checkpoint keeps the log, so a run that goes on knows what an unbroken one would know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "eval_"  # of figures in the log, by which trackers tell them from training's
NAMES = {
    "loss": "loss",
    "iou": "IoU",
    "accuracy": "accuracy at IoU 0.5",
    "presence": "yes or no",
}
# A checkpoint sorts what it keeps by name, and a run that goes on is to write the same files
_ORDER = ("loss", "token_accuracy", "iou", "accuracy", "presence")
_LOWER = frozenset({"loss"})  # is better


@dataclass(frozen=True)
class Look:
    """A look after so many steps."""

    step: int
    figures: Mapping[str, float]  # by the names of `NAMES`, and others, always in one order


def read_looks(history: Iterable[Mapping[str, Any]]) -> list[Look]:
    """Those in the log of a trainer."""
    return [Look(row["step"], _figures(row)) for row in history if any(map(_is_figure, row))]


def is_better(one: Look, other: Look, metric: str) -> bool:
    """Whether the one is better than the other; the same, or what is no number, is not."""
    mine, theirs = one.figures[metric], other.figures[metric]
    if theirs != theirs:
        return mine == mine
    return mine < theirs if metric in _LOWER else mine > theirs


def find_best(looks: Iterable[Look], metric: str) -> Look | None:
    """The first of the best ones after a step of training; None where there was none."""
    best = None
    for look in looks:
        if look.step and (best is None or is_better(look, best, metric)):
            best = look
    return best


def count_since_best(looks: Iterable[Look], metric: str) -> int:
    """The looks after the best one."""
    looks = list(looks)
    best = find_best(looks, metric)
    return 0 if best is None else sum(look.step > best.step for look in looks)


def describe_figures(figures: Mapping[str, float]) -> str:
    """For people, such as ``loss 0.512, IoU 0.31``."""
    return ", ".join(
        f"{words} {figures[name]:.3f}" for name, words in NAMES.items() if name in figures
    )


def _is_figure(name: str) -> bool:
    return name.startswith(PREFIX)


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    given = {name.removeprefix(PREFIX): row[name] for name in row if _is_figure(name)}
    return {name: given[name] for name in (*_ORDER, *sorted(given)) if name in given}
