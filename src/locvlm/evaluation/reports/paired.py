"""Two runs on the same questions: how far apart each score is, and how sure that is.

Both runs answered the same questions, so their difference is far surer than two intervals side by
side say. Pictures are drawn anew with all their questions (a paired cluster bootstrap), for answers
about one picture are not independent, and every score of the task is computed from each draw. Where
a run has several samples, a score is its mean over them, of each draw as of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.intervals import Score, without_intervals
from locvlm.evaluation.learned import describe_learned, divide_rows
from locvlm.evaluation.reports.common_questions import list_common_questions
from locvlm.evaluation.reports.differences import (
    Difference,
    Samples,
    count_images,
    count_rows,
    differences_of_means,
    make_difference,
    mean_of_samples,
)
from locvlm.evaluation.reports.image_sums import sum_by_image
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.samples import format_decoding, mean_scores, read_scored_samples
from locvlm.evaluation.task import ResampleScores, ScoredAnswer, Task

_CELLS = 4_000_000  # counts of rows in draws that are held at once


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
    drawn: tuple[str, str] = ("", "")  # how the answers of each were drawn; "": they were not
    samples: tuple[int, int] = (1, 1)  # answers to each question; who is right: the first of them
    # Questions of the other that a, and b, was not asked: about what it does not see; not compared
    lacks: tuple[int, int] = (0, 0)
    # All that both were asked, of the first sample
    pairs: list[tuple[ScoredAnswer, ScoredAnswer]] = field(default_factory=list)
    learned: tuple[str, str] = ("", "")  # what of the images each learned from, in a sentence
    learned_images: tuple[int | None, int | None] = (None, None)  # how many; None: not known


def compare_runs(a: Path, b: Path, *, seed: int = 0) -> RunComparison:
    """Compare the runs in two folders.

    Raises:
        InputError: a folder holds no scored run, they are not of the same questions (but for those
            that one model does not see), or what their scores need is not installed.
    """
    if seed < 0:
        raise InputError(f"seed must be at least 0, not {seed}")
    results = [read_scores(folder) for folder in (a, b)]
    if results[0]["task"] != results[1]["task"]:
        raise InputError(
            f"{a} is of {results[0]['task']}, {b} of {results[1]['task']}; compare the same task"
        )
    runs = [read_scored_samples(folder) for folder in (a, b)]
    rows, others = ({row.id: row for row in samples[0]} for samples in runs)
    common = list_common_questions((a, b), (rows, others), results)
    lacks = (len(others) - len(common), len(rows) - len(common))
    pairs = [(rows[id], others[id]) for id in common]
    both = [[_in_order(sample, common) for sample in samples] for samples in runs]
    task = tasks.get(results[0]["task"])
    whole = [result["scores"] for result in results]
    if any(lacks) and task.resample is not None:
        whole = [sum_up(task, samples, seed) for samples in both]
    scores = find_differences(task, both, whole, seed)
    scores |= _apart(task, both, results, seed)
    drawn = [format_decoding(result.get("decoding")) for result in results]
    return RunComparison(
        task=results[0]["task"],
        models=_names(results[0]["model"], results[1]["model"]),
        scores=scores,
        only_a=[pair for pair in pairs if pair[0].hit and not pair[1].hit],
        only_b=[pair for pair in pairs if pair[1].hit and not pair[0].hit],
        both=sum(x.hit and y.hit for x, y in pairs),
        neither=sum(not x.hit and not y.hit for x, y in pairs),
        drawn=(drawn[0], drawn[1]),
        samples=(len(both[0]), len(both[1])),
        lacks=lacks,
        pairs=pairs,
        learned=(describe_learned(results[0]), describe_learned(results[1])),
        learned_images=(_count_learned(results[0]), _count_learned(results[1])),
    )


def _count_learned(result: Mapping[str, Any]) -> int | None:
    """How many images of a run its model learned from; None: it, or one before, does not say."""
    learned = result.get("learned")
    return learned["images"] if learned and not learned.get("unknown") else None


def _apart(
    task: Task, runs: Sequence[Samples], results: Sequence[Mapping[str, Any]], seed: int
) -> dict[str, Difference]:
    """The headlines on images that neither model learned from, and on the others."""
    learned = {
        name for result in results for name in (result.get("learned") or {}).get("names", ())
    }
    found: dict[str, Difference] = {}
    for part, places in divide_rows(task, runs[0][0], learned).items():
        some = [[[rows[k] for k in places] for rows in samples] for samples in runs]
        whole = [sum_up(task, samples, seed) for samples in some]
        scores = find_differences(task, some, whole, seed)
        found |= {part + name: scores[name] for name in task.headlines if name in scores}
    return found


def sum_up(task: Task, samples: Samples, seed: int) -> dict[str, Any]:
    """The scores of some rows, of one sample or several, as ``scores.json`` holds them."""
    scores = mean_scores([task.summarize(rows, seed=seed) for rows in samples])
    found: dict[str, Any] = msgspec.to_builtins(scores)
    return found


def _names(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a != b else (f"A: {a}", f"B: {b}")


def _in_order(rows: Sequence[ScoredAnswer], ids: Iterable[str]) -> list[ScoredAnswer]:
    by_id = {row.id: row for row in rows}
    return [by_id[id] for id in ids]


def find_differences(
    task: Task,
    runs: Sequence[Samples],
    whole: Sequence[Mapping[str, Any]],
    seed: int,
) -> dict[str, Difference]:
    """How far apart each score of two runs is, images drawn anew.

    Args:
        task: of both.
        runs: the samples of each, rows in the same order.
        whole: the scores of each, as ``scores.json`` holds them.
        seed: of the draws.
    """
    if task.resample is not None:
        return _resampled_differences(task.resample, runs, whole, seed)
    return _differences(task, runs, seed)


def _differences(task: Task, runs: Sequence[Samples], seed: int) -> dict[str, Difference]:
    """Of the scores of a task: those that are means by `image_sums`, the others summed up anew."""
    with without_intervals():
        whole = [
            mean_scores([task.summarize(rows, seed=seed) for rows in samples]) for samples in runs
        ]
    sums = [[sum_by_image(task, rows, seed=seed) for rows in samples] for samples in runs]
    means = set.intersection(*(set(of) for samples in sums for of in samples))
    there = {name for name, score in whole[0].items() if score.value is not None}
    counts = count_images(runs, seed)
    drawn = _redrawn(task, runs, counts, there - means, seed) if there - means else {}
    both = {
        name: (one, other)
        for name, one in whole[0].items()
        if (other := whole[1].get(name)) and None not in (one.value, other.value)
    }
    parts = {
        name: [[of[name] for of in samples] for samples in sums] for name in both if name in means
    }
    found = differences_of_means(parts, counts, both)
    for name, (one, other) in both.items():
        if name not in means:
            assert one.value is not None and other.value is not None
            apart = drawn.get(name, [])
            found[name] = make_difference(one.value, other.value, apart, one.n, one.kind)
    return {name: found[name] for name in both}


def _redrawn(
    task: Task, runs: Sequence[Samples], counts: NDArray[np.int64], needed: set[str], seed: int
) -> dict[str, list[float]]:
    """How far apart the runs are in each draw; the scores in `needed` are no means of images."""
    if task.resample_others is not None:
        resampled = _resample_apart(task.resample_others, runs, counts)
        if resampled.keys() >= needed:
            return resampled

    def sum_up(samples: Samples, places: Sequence[int]) -> Mapping[str, Score]:
        drawn = ([rows[k] for k in places] for rows in samples)
        return mean_scores([task.summarize(rows, seed=seed) for rows in drawn])

    found: dict[str, list[float]] = {}
    with without_intervals():
        for drawn in _draws(runs, counts):
            one, other = (sum_up(samples, drawn) for samples in runs)
            for name, score in one.items():
                if name not in other:
                    continue
                if (x := score.value) is not None and (y := other[name].value) is not None:
                    found.setdefault(name, []).append(y - x)
    return found


def _resample_apart(
    resample: ResampleScores, runs: Sequence[Samples], counts: NDArray[np.int64]
) -> dict[str, list[float]]:
    """How far apart the runs are in each draw, some draws at once: (draws, N) is large."""
    every, first = [rows for samples in runs for rows in samples], len(runs[0])
    step = max(1, _CELLS // len(runs[0][0]))
    found: dict[str, list[float]] = {}
    for at in range(0, len(counts), step):
        drawn = resample(every, count_rows(runs, counts, slice(at, at + step)))
        for name, values in drawn.items():
            one, other = (mean_of_samples(list(of)) for of in (values[:first], values[first:]))
            found.setdefault(name, []).extend((other - one)[~np.isnan(other - one)].tolist())
    return found


def _resampled_differences(
    resample: ResampleScores,
    runs: Sequence[Samples],
    whole: Sequence[Mapping[str, Any]],
    seed: int,
) -> dict[str, Difference]:
    """Of scores that a task resamples itself; those of all answers are those of the runs."""
    drawn = _resample_apart(resample, runs, count_images(runs, seed))
    differences = {}
    for name, apart in drawn.items():
        a, b = (scores[name] for scores in whole)
        differences[name] = make_difference(a["value"], b["value"], apart, a["n"], a["kind"])
    return differences


def _draws(runs: Sequence[Samples], counts: NDArray[np.int64]) -> Iterator[list[int]]:
    """Places of the questions of each draw."""
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(runs[0][0]):
        groups.setdefault(row.image, []).append(place)
    clusters = list(groups.values())
    for drawn in counts:
        yield [k for times, of in zip(drawn, clusters, strict=True) for k in of * int(times)]
