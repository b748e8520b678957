"""What the verdicts of a judge come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from locvlm.coordinates.answers import find_answer
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate, scaled_mean
from locvlm.evaluation.judge.judge import Judge, judge_all
from locvlm.evaluation.judge.protocol import BEST_SCORE, Case, Verdict
from locvlm.evaluation.task import Question, ScoredAnswer, Task
from locvlm.io.digests import digest_bytes

MATCH, SCORE = "judge match", "judge score"  # among the values of a scored row


@dataclass(frozen=True)
class Judgement:
    """Rows with their verdicts, and what these come to."""

    rows: list[ScoredAnswer]
    scores: dict[str, Score]
    record: dict[str, Any]  # for ``scores.json``


def cache_path(predictions: Path) -> Path:
    """Where the replies about the answers in a file are kept: beside it, ``…-judge.jsonl``."""
    return predictions.with_name(f"{predictions.stem}-judge.jsonl")


def check_free_answers(task: Task) -> None:
    """Raises InputError where a judge cannot read the answers to the task."""
    if task.judge_group is None:
        raise InputError(f"task {task.name} has no free answers to judge; leave --judge away")


def judge_samples(
    judge: Judge,
    task: Task,
    questions: Sequence[Question],
    samples: Sequence[Sequence[ScoredAnswer]],
    cache: Path,
    *,
    seed: int,
) -> list[Judgement]:
    """As `judge_answers`, of each of several samples; their records are of all together."""
    every = [row for rows in samples for row in rows]
    whole = judge_answers(judge, task, [*questions] * len(samples), every, cache, seed=seed)
    if len(samples) == 1:
        return [whole]
    # All replies are kept now, so nobody is asked again
    found = [judge_answers(judge, task, questions, rows, cache, seed=seed) for rows in samples]
    return [replace(judgement, record=whole.record) for judgement in found]


def judge_answers(
    judge: Judge,
    task: Task,
    questions: Sequence[Question],
    rows: Sequence[ScoredAnswer],
    cache: Path,
    *,
    seed: int,
) -> Judgement:
    """Judge the free answers among the `rows`, each of which belongs to one of the `questions`.

    Raises:
        InputError: none is free, or as `judge_all`.
    """
    check_free_answers(task)
    assert task.judge_group is not None
    groups = [task.judge_group(question) for question in questions]
    places = [place for place, group in enumerate(groups) if group is not None]
    if not places:
        raise InputError(f"these answers to {task.name} are not free ones; leave --judge away")
    cases = [
        Case(questions[i].instruction.question, rows[i].expected, find_answer(rows[i].answer))
        for i in places
    ]
    result = judge_all(judge, cases, cache)
    verdicts = dict(zip(places, result.verdicts, strict=True))
    readable = [verdict for verdict in result.verdicts if verdict]
    return Judgement(
        [_add_verdict(row, verdicts.get(place)) for place, row in enumerate(rows)],
        _scores([(str(groups[place]), verdicts[place]) for place in places], seed),
        {
            "url": judge.endpoint.address,
            "model": judge.endpoint.model,
            "settings": dict(judge.endpoint.settings),
            "prompt": judge.prompt,
            "prompt_sha256": digest_bytes(judge.prompt.encode()),
            "verdicts": len(readable),
            "unreadable": len(places) - len(readable),
            "requests": result.requests,
        },
    )


def _add_verdict(row: ScoredAnswer, verdict: Verdict | None) -> ScoredAnswer:
    if verdict is None:
        return row
    values = {**row.values, MATCH: verdict.match, SCORE: float(verdict.score)}
    return replace(row, values=values)


def _scores(judged: Sequence[tuple[str, Verdict | None]], seed: int) -> dict[str, Score]:
    """Over the verdicts that can be read: all of them, and by group."""
    by_group: dict[str, list[Verdict]] = {group: [] for group, _ in judged}
    for group, verdict in judged:
        if verdict is not None:
            by_group[group].append(verdict)
    every = [verdict for verdicts in by_group.values() for verdict in verdicts]
    return {
        "judge/accuracy": _accuracy(every),
        "judge/score": _mean(every, seed),
        "judge/readable": rate(verdict is not None for _, verdict in judged),
        **{f"judge accuracy/{name}": _accuracy(kept) for name, kept in by_group.items()},
        **{f"judge score/{name}": _mean(kept, seed) for name, kept in by_group.items()},
    }


def _accuracy(verdicts: Sequence[Verdict]) -> Score:
    return rate(verdict.match for verdict in verdicts)


def _mean(verdicts: Sequence[Verdict], seed: int) -> Score:
    return scaled_mean((verdict.score for verdict in verdicts), BEST_SCORE, seed=seed)
