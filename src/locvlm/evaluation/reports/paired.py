"""Two runs on the same questions: how far apart each score is, and how sure that is.

Both runs answered the same questions, so their difference is far surer than two intervals side by
side say. Pictures are drawn anew with all their questions (a paired cluster bootstrap), for answers
about one picture are not independent, and every score of the task is computed from each draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.intervals import EDGES, without_intervals
from locvlm.evaluation.task import ResampleScores, ScoredAnswer, Task

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
class RunComparison:
    """Two runs of a task."""

    task: str
    models: tuple[str, str]  # "A: tiny", "B: tiny" where they have the same name
    scores: dict[str, Difference]
    only_a: list[tuple[ScoredAnswer, ScoredAnswer]]  # where a alone is right
    only_b: list[tuple[ScoredAnswer, ScoredAnswer]]
    both: int  # where both are
    neither: int
    # Questions of the other that a, and b, was not asked: about what it does not see; not compared
    lacks: tuple[int, int] = (0, 0)


def compare_runs(a: Path, b: Path, *, seed: int = 0) -> RunComparison:
    """Compare the runs in two folders.

    Raises:
        InputError: a folder holds no scored run, they are not of the same questions (but for those
            that one model does not see), or what their scores need is not installed.
    """
    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    results = [run_files.read_json(folder / run_files.SCORES, dict) for folder in (a, b)]
    if results[0]["task"] != results[1]["task"]:
        raise InputError(
            f"{a} is of {results[0]['task']}, {b} of {results[1]['task']}; compare the same task"
        )
    rows = {row.id: row for row in run_files.read_scored(a)}
    others = {row.id: row for row in run_files.read_scored(b)}
    unseen = [set(result.get("unseen", ())) for result in results]
    lacks = (len(others.keys() - rows.keys()), len(rows.keys() - others.keys()))
    common = rows.keys() & others.keys()
    different = (others.keys() - common - unseen[0]) | (rows.keys() - common - unseen[1])
    different |= {id for id in common if rows[id].expected != others[id].expected}
    if different:
        raise InputError(
            f"{a} and {b} do not have the same questions ({len(different)} differ, such as "
            f"{min(different)!r}); run both with the same data, seed, options and limit"
        )
    if not common:
        raise InputError(
            f"{a} and {b} have no question in common; neither sees what the other does"
        )
    pairs = [(row, others[id]) for id, row in rows.items() if id in common]
    task = tasks.get(results[0]["task"])
    if task.resample is not None:
        whole = [
            sum_up(task, [pair[i] for pair in pairs], seed) if any(lacks) else result["scores"]
            for i, result in enumerate(results)
        ]
        scores = _resampled_differences(task.resample, pairs, whole, seed)
    else:
        scores = _differences(task, pairs, seed)
    return RunComparison(
        task=results[0]["task"],
        models=_names(results[0]["model"], results[1]["model"]),
        scores=scores,
        only_a=[pair for pair in pairs if pair[0].hit and not pair[1].hit],
        only_b=[pair for pair in pairs if pair[1].hit and not pair[0].hit],
        both=sum(x.hit and y.hit for x, y in pairs),
        neither=sum(not x.hit and not y.hit for x, y in pairs),
        lacks=lacks,
    )


def sum_up(task: Task, rows: Sequence[ScoredAnswer], seed: int) -> dict[str, Any]:
    """The scores of some rows, as ``scores.json`` holds them."""
    found: dict[str, Any] = msgspec.to_builtins(task.summarize(rows, seed=seed))
    return found


def _names(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a != b else (f"A: {a}", f"B: {b}")


def _differences(
    task: Task, pairs: Sequence[tuple[ScoredAnswer, ScoredAnswer]], seed: int
) -> dict[str, Difference]:
    """Of scores that are summed up anew from each draw."""
    found: dict[str, list[float]] = {}
    with without_intervals():
        whole = [task.summarize([pair[i] for pair in pairs], seed=seed) for i in (0, 1)]
        for drawn in _draws([pair[0].image for pair in pairs], seed):
            one, other = (task.summarize([pairs[k][i] for k in drawn], seed=seed) for i in (0, 1))
            for name, score in one.items():
                if (x := score.value) is not None and (y := other[name].value) is not None:
                    found.setdefault(name, []).append(y - x)
    return {
        name: _difference(score.value, y, found.get(name, []), score.n)
        for name, score in whole[0].items()
        if score.value is not None and (y := whole[1][name].value) is not None
    }


def _resampled_differences(
    resample: ResampleScores,
    pairs: Sequence[tuple[ScoredAnswer, ScoredAnswer]],
    whole: Sequence[Mapping[str, Any]],
    seed: int,
) -> dict[str, Difference]:
    """Of scores that a task resamples itself; those of all answers are those of the runs."""
    draws = _draws([pair[0].image for pair in pairs], seed)
    counts = np.array([np.bincount(drawn, minlength=len(pairs)) for drawn in draws])
    drawn = resample([[pair[i] for pair in pairs] for i in (0, 1)], counts)
    differences = {}
    for name, (one, other) in drawn.items():
        apart = (other - one)[~np.isnan(other - one)].tolist()
        a, b = (scores[name] for scores in whole)
        differences[name] = _difference(a["value"], b["value"], apart, a["n"])
    return differences


def _draws(images: Sequence[str], seed: int) -> Iterator[list[int]]:
    """Places of the questions that are drawn, about `images`: all about each picture or none."""
    groups: dict[str, list[int]] = {}
    for place, image in enumerate(images):
        groups.setdefault(image, []).append(place)
    clusters = list(groups.values())
    rng = np.random.default_rng(seed)
    for _ in range(max(_LEAST, min(DRAWS, _WORK // max(1, len(images))))):
        drawn = rng.integers(len(clusters), size=len(clusters))
        yield [place for i in drawn for place in clusters[i]]


def _difference(a: float, b: float, drawn: Sequence[float], n: int) -> Difference:
    low, high = np.percentile(drawn or [-1.0, 1.0], EDGES).tolist()
    return Difference(a, b, low, high, n)
