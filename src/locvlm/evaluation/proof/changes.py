"""Which questions two models answer differently: how many, and some of them to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from locvlm.evaluation.proof.structure import Changes, Example
from locvlm.evaluation.reports.illustrations import pick
from locvlm.evaluation.task import ScoredAnswer

Pair: TypeAlias = tuple[ScoredAnswer, ScoredAnswer]  # of base and tuned, to one question

STEP = 0.1  # of IoU, from which on an answer counts as better or worse
SHOWN = 6  # examples of each task


def measure_of(rows: Sequence[ScoredAnswer]) -> tuple[str, Callable[[ScoredAnswer], float]]:
    """What an answer is worth, and what its mean is called: IoU where there is one, else right."""
    if rows and all("iou" in row.values for row in rows):
        return "mean IoU", lambda row: float(row.values["iou"])
    return "right", lambda row: float(row.hit)


def count_changes(pairs: Sequence[Pair]) -> Changes:
    """How many answers changed, and how many of them for better or worse."""
    better = [is_better for is_better, _ in _changed(pairs)]
    return Changes(
        questions=len(pairs),
        answers=sum(_words(x.answer) != _words(y.answer) for x, y in pairs),
        better=sum(better),
        worse=len(better) - sum(better),
    )


def draw_examples(pairs: Sequence[Pair], seed: int) -> list[Example]:
    """As many of what is better as of what is worse, where there are, drawn at random by `seed`.

    How often each occurs is told by `count_changes`, not by the examples.
    """
    _, measure = measure_of([x for x, _ in pairs])
    return [
        Example(
            id=x.id,
            image=x.image,
            better=better,
            prompt=x.prompt,
            expected=x.expected,
            answers=(x.answer, y.answer),
            found=(x.found, y.found),
            worth=(measure(x), measure(y)),
            truth=[(mark.label, mark.coords) for mark in x.marks],
            mirrored=x.mirrored,
        )
        for better, (x, y) in pick(_changed(pairs), SHOWN, seed=seed)
    ]


def _changed(pairs: Sequence[Pair]) -> Iterator[tuple[bool, Pair]]:
    """Whether it is better, and the pair, of each question that is not answered as well."""
    _, measure = measure_of([x for x, _ in pairs])
    for pair in pairs:
        one, other = map(measure, pair)
        if abs(other - one) >= STEP:
            yield other > one, pair


def _words(answer: str) -> list[str]:
    return answer.lower().split()
