"""From two finished runs of a task to what the proof says about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from locvlm.evaluation import tasks
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.learned import name_unseen
from locvlm.evaluation.proof.changes import count_changes, draw_examples, measure_of
from locvlm.evaluation.proof.structure import Figure, Learned, Table, TaskProof, Verdict
from locvlm.evaluation.proof.verdicts import abilities_of, add_changes, state
from locvlm.evaluation.reports.differences import (
    Difference,
    count_images,
    differences_of_means,
    widen_interval,
)
from locvlm.evaluation.reports.image_sums import sum_groups
from locvlm.evaluation.reports.paired import RunComparison, compare_runs
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.task import ScoredAnswer

GROUPS = ("category", "size", "type", "axis", "relation", "split")  # of questions, by their meta
SEVERAL = "several"  # in the meta of a question about any of several objects
PLAIN = ("plain-questions", "plain-captions")  # tasks of what no tuning touched


def weigh_task(base: Path, tuned: Path, *, seed: int = 0) -> TaskProof:
    """What two runs of a task show.

    Args:
        base: folder of the run that the other is held against.
        tuned: folder of the other run, of the same questions.
        seed: of the bootstrap and of the examples.

    Raises:
        InputError: see `compare_runs`.
    """
    found = compare_runs(base, tuned, seed=seed)
    task = tasks.get(found.task)
    results = [read_scores(folder) for folder in (base, tuned)]
    scores, headlines = _figures(found, task.headlines)
    changes, plain = count_changes(found.pairs), found.task in PLAIN
    verdicts = give_verdicts(found)
    if plain:
        verdicts = [add_changes(verdict, changes) for verdict in verdicts]
    return TaskProof(
        task=found.task,
        title=task.title,
        data=results[0].get("data", ""),
        right=task.hit,
        questions=len(found.pairs),
        images=len({row.image for row, _ in found.pairs}),
        clips=task.card.clips,
        plain=plain,
        verdicts=verdicts,
        scores=scores,
        headlines=headlines,
        tables=_tables(found.pairs, seed),
        changes=changes,
        examples=draw_examples(found.pairs, seed),
        learned=_learned(results),
        notes=_notes(found),
        split=results[0].get("split", ""),
    )


def give_verdicts(found: RunComparison) -> list[Verdict]:
    """On each ability that a task tells."""
    task = tasks.get(found.task)
    unit = "clip" if task.card.clips else "photo"
    by_name = {figure.name: figure for figure in _figures(found, task.headlines)[0]}
    # Where a model learned from some of the images, the others tell
    part = name_unseen(task)
    unseen = {
        name.removeprefix(part): each for name, each in by_name.items() if name.startswith(part)
    }
    learned, images = found.learned_images, {row.image for row, _ in found.pairs}
    if unseen or learned == (0, 0):
        unit = f"unseen {unit}"
    elif len(images) in learned:
        unit = f"training {unit}"
    by_name |= unseen
    return [
        state(by_name[name], ability, name.rpartition("/")[2], unit)
        for name, ability in abilities_of(found.task, task.title, task.headlines).items()
        if name in by_name
    ]


def _figures(found: RunComparison, headlines: Sequence[str]) -> tuple[list[Figure], int]:
    first = [name for name in headlines if name in found.scores]
    rest = [name for name in found.scores if name not in first]
    images = len({row.image for row, _ in found.pairs})
    differ = {x.image for x, y in found.pairs if (x.hit, x.values) != (y.hit, y.values)}
    # A score that is no mean over images does not tell on which the runs differ: at most on these
    whole = (images, len(differ))
    return [figure_of(name, found.scores[name], whole) for name in first + rest], len(first)


def figure_of(name: str, of: Difference, whole: tuple[int, int]) -> Figure:
    """One score; `whole`: images, and those that differ, where the score does not tell."""
    images, changed = (of.images, of.changed) if of.images else whole
    low, high = widen_interval(of.kind, (of.low, of.high), images, changed)
    return Figure(name, of.kind, of.a, of.b, of.value, low, high, of.n, images, changed)


def _tables(pairs: Sequence[tuple[ScoredAnswer, ScoredAnswer]], seed: int) -> list[Table]:
    """The measure in each group, where there are several; of single objects, as headlines are."""
    pairs = [pair for pair in pairs if SEVERAL not in pair[0].meta] or pairs
    runs = [[x for x, _ in pairs], [y for _, y in pairs]]
    name, measure = measure_of(runs[0])
    counts = count_images([[rows] for rows in runs], seed)
    values = [[measure(row) for row in rows] for rows in runs]
    tables = []
    for key in GROUPS:
        if not all(key in row.meta for row in runs[0]):
            continue
        one, other = (sum_groups(runs[0], of, key) for of in values)  # the same questions
        if len(one) < 2:
            continue
        parts = {group: [[sums], [other[group]]] for group, sums in one.items()}
        whole = {
            group: (_mean(name, sums), _mean(name, other[group])) for group, sums in one.items()
        }
        apart = differences_of_means(parts, counts, whole)
        rows = [figure_of(group, of, (0, 0)) for group, of in apart.items()]
        order = {"small": 0, "medium": 1, "large": 2}
        rows.sort(key=lambda row: (order.get(row.name, 3), -row.questions, row.name))
        tables.append(Table(key, name, rows))
    return tables


def _mean(measure: str, sums: np.ndarray) -> Score:
    total, count = sums.sum(axis=0).tolist()
    return Score(total / count, 0.0, 1.0, int(count), "mean" if measure == "mean IoU" else "rate")


def _learned(results: Sequence[Mapping[str, Any]]) -> list[Learned]:
    models: tuple[Literal["base", "tuned"], ...] = ("base", "tuned")
    return [
        Learned(model, int(of["learned"]["questions"]), int(of["learned"]["images"]))
        for model, of in zip(models, results, strict=True)
        if of.get("learned")
    ]


def _notes(found: RunComparison) -> list[str]:
    notes = [f"{sentence}." for sentence in found.learned if sentence]
    notes += [
        f"Answers of {model} are {drawn}."
        for model, drawn in zip(found.models, found.drawn, strict=True)
        if drawn
    ]
    if max(found.samples) > 1:
        notes.append("Tables, changes and examples are of the first sample.")
    for who, other, lacks in zip(found.models, reversed(found.models), found.lacks, strict=True):
        if lacks:
            notes.append(f"Not compared: {lacks} questions of {other} about what {who} cannot see.")
    return notes
