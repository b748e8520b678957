"""Two runs on the same questions: how far apart each score is, and how sure that is.

Both runs answered the same questions, so their difference is far surer than two intervals side by
side say. Pictures are drawn anew with all their questions (a paired cluster bootstrap), for answers
about one picture are not independent, and every score of the task is computed from each draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from locvlm.errors import InputError
from locvlm.evaluation import files, tasks
from locvlm.evaluation.metrics import values_alone
from locvlm.evaluation.metrics.intervals import EDGES
from locvlm.evaluation.questions import Scored

DRAWS = 1000
_WORK = 20_000_000  # rows in all draws; large data need fewer draws, their intervals are narrow
_LEAST = 100


@dataclass(frozen=True)
class Difference:
    """One score of both runs."""

    a: float
    b: float
    low: float  # of b - a, 95 %
    high: float
    n: int  # questions behind it

    @property
    def value(self) -> float:
        return self.b - self.a

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Paired:
    """Two runs of a task."""

    task: str
    models: tuple[str, str]  # "A: tiny", "B: tiny" where they have the same name
    scores: dict[str, Difference]
    only_a: list[tuple[Scored, Scored]]  # where a alone is right
    only_b: list[tuple[Scored, Scored]]
    both: int  # where both are
    neither: int


def paired(a: Path, b: Path, *, seed: int = 0) -> Paired:
    """Compare the runs in two folders.

    Raises:
        InputError: a folder holds no scored run, they are not of the same questions, or their
            scores are not summed from single answers.
    """
    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    results = [files.read_json(folder / files.SCORES, dict) for folder in (a, b)]
    if results[0]["task"] != results[1]["task"]:
        raise InputError(
            f"{a} is of {results[0]['task']}, {b} of {results[1]['task']}; compare the same task"
        )
    rows = {row.id: row for row in files.read_scored(a)}
    others = {row.id: row for row in files.read_scored(b)}
    different = rows.keys() ^ others.keys()
    different |= {
        id for id in rows.keys() & others.keys() if rows[id].expected != others[id].expected
    }
    if different:
        raise InputError(
            f"{a} and {b} do not have the same questions ({len(different)} differ, such as "
            f"{min(different)!r}); run both with the same data, seed, options and limit"
        )
    pairs = [(row, others[id]) for id, row in rows.items()]
    if not any(row.values for row in rows.values()):
        raise InputError(
            f"{a}: scores of {results[0]['task']} are of all answers together, and take too long "
            "for a thousand draws; compare the intervals in scores.json"
        )
    return Paired(
        task=results[0]["task"],
        models=_names(results[0]["model"], results[1]["model"]),
        scores=_differences(results[0]["task"], pairs, seed),
        only_a=[pair for pair in pairs if pair[0].hit and not pair[1].hit],
        only_b=[pair for pair in pairs if pair[1].hit and not pair[0].hit],
        both=sum(x.hit and y.hit for x, y in pairs),
        neither=sum(not x.hit and not y.hit for x, y in pairs),
    )


def _names(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a != b else (f"A: {a}", f"B: {b}")


def _differences(
    task: str, pairs: Sequence[tuple[Scored, Scored]], seed: int
) -> dict[str, Difference]:
    groups: dict[str, list[tuple[Scored, Scored]]] = {}
    for pair in pairs:
        groups.setdefault(pair[0].image, []).append(pair)
    pictures = list(groups.values())
    summarize = tasks.get(task).summarize
    rng = np.random.default_rng(seed)
    draws = max(_LEAST, min(DRAWS, _WORK // max(1, len(pairs))))
    found: dict[str, list[float]] = {}
    with values_alone():
        whole = [summarize([pair[i] for pair in pairs], seed=seed) for i in (0, 1)]
        for _ in range(draws):
            drawn = [
                p for i in rng.integers(len(pictures), size=len(pictures)) for p in pictures[i]
            ]
            one, other = (summarize([pair[i] for pair in drawn], seed=seed) for i in (0, 1))
            for name, score in one.items():
                if (x := score.value) is not None and (y := other[name].value) is not None:
                    found.setdefault(name, []).append(y - x)
    differences = {}
    for name, score in whole[0].items():
        other_value = whole[1][name].value
        if score.value is None or other_value is None:
            continue
        low, high = np.percentile(found.get(name, [-1.0, 1.0]), EDGES).tolist()
        differences[name] = Difference(score.value, other_value, low, high, score.n)
    return differences
