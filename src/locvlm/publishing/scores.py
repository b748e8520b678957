"""The headlines of finished evaluations, as a table and as the Hub's `model-index`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from huggingface_hub import EvalResult

from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.reports.report import format_interval, format_value
from locvlm.evaluation.samples import SampledScore, samples_of
from locvlm.models.digest import digest_model
from locvlm.shown.markdown import escape_markdown, mark_code
from locvlm.shown.terminal import say

PIPELINE = "image-text-to-text"


class TaskScores(msgspec.Struct, frozen=True):
    """Of ``scores.json`` what a card shows."""

    task: str
    model: str
    data: str  # name of the file that the questions come from
    questions: int
    pictures: int
    scores: dict[str, SampledScore]
    unanswered: int = 0
    decoding: dict[str, Any] | None = None
    model_digest: str | None = None  # None: older scores, or those of answers from elsewhere


def read_scores(folders: Sequence[Path], of: Collection[str]) -> list[TaskScores]:
    """What `locvlm eval` or `score` wrote into `folders`.

    Args:
        folders: with ``scores.json``.
        of: names and folders of the model; scores of another one are refused.

    Raises:
        InputError: a file is missing or malformed, or about another model; the model has changed
            since it was evaluated. Where a file does not say of which weights it is, a warning
            goes to stderr.
    """
    known = {*of, *(str(Path(name).resolve()) for name in of)}
    runs = []
    for folder in folders:
        path = folder / run_files.SCORES
        run = run_files.read_json(path, TaskScores)
        tasks.get(run.task)
        if not {run.model, str(Path(run.model).resolve())} & known:
            raise InputError(
                f"{path}: scores of {run.model!r}; give scores of {' or '.join(of)}, as "
                "locvlm eval --model names it"
            )
        if not run.scores:
            raise InputError(f"{path}: holds no scores, for its answers are to be handed in")
        _check_digest(path, run)
        runs.append(run)
    return runs


def _check_digest(path: Path, run: TaskScores) -> None:
    if not run.model_digest:
        say(
            f"warning: {path} does not say which weights of {run.model} it is about; make sure "
            "that the model was not trained since",
            file=sys.stderr,
        )
    elif digest_model(run.model) != run.model_digest:
        raise InputError(
            f"{path}: {run.model} has other weights or settings than when it was evaluated; "
            "evaluate it again, into another --out"
        )


def scores_table(runs: Sequence[TaskScores]) -> str:
    """The headlines in Markdown."""
    rows = ["| task | data | score | value | 95 % interval | n |", "|---|---|---|--:|--:|--:|"]
    for run in runs:
        for name, score in _headlines(run):
            values = msgspec.to_builtins(score)
            shown = f"{format_value(values)} | {format_interval(values)} | {score.n}"
            data = escape_markdown(Path(run.data).name)
            rows.append(f"| {mark_code(run.task)} | {data} | {escape_markdown(name)} | {shown} |")
    return "\n".join(rows)


def scores_remarks(runs: Sequence[TaskScores]) -> str:
    """How the figures came about, a line per run."""
    lines = []
    for run in runs:
        line = f"- {mark_code(run.task)}: {run.questions} answers about {run.pictures} pictures"
        if run.unanswered:
            line += f", {run.unanswered} questions without an answer"
        if run.decoding:
            line += "; " + escape_markdown(
                ", ".join(f"{key} {value}" for key, value in run.decoding.items())
            )
        if samples_of(run.decoding) > 1:
            line += "; figures are mean ± standard deviation over the samples"
        lines.append(line)
    return "\n".join(lines)


def eval_results(runs: Sequence[TaskScores]) -> Iterator[EvalResult]:
    """The headlines for the metadata; rates are 0 … 1."""
    for run in runs:
        task, data = tasks.get(run.task), Path(run.data).name
        for name, score in _headlines(run):
            if score.value is None:
                continue
            yield EvalResult(
                task_type=PIPELINE,
                task_name=task.title,
                dataset_type=run.task,
                dataset_name=f"{run.task} on {data}",
                metric_type=name.rpartition("/")[2].lower().replace(" ", "-"),
                metric_name=name,
                metric_value=score.value,
            )


def _headlines(run: TaskScores) -> list[tuple[str, SampledScore]]:
    """The scores by which the task is known; the others are in its report."""
    names = tasks.get(run.task).headlines
    return [(name, run.scores[name]) for name in names if name in run.scores]
