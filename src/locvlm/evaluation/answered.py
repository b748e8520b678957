"""The questions of a run that have an answer, and what is written beside the answers.

Every question must have its one answer: a missing one is told and never counted as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from locvlm.annotations.splits import ALL
from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.limited import questions_by_image, sample_seed
from locvlm.evaluation.predictions import Columns, Prediction, read_predictions
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.samples import sample_number, samples_of
from locvlm.evaluation.task import Question, QuestionSet, Sources, Task


def read_run_beside(predictions: Path, task: str) -> EvaluationRun | None:
    """What `locvlm eval` wrote beside the answers; None where they come from elsewhere.

    Raises:
        InputError: it is of another task.
    """
    path = predictions.parent / run_files.RUN
    sample = sample_number(predictions, run_files.PREDICTIONS)
    if sample is None or not path.exists():
        return None
    run = run_files.read_json(path, EvaluationRun)
    if sample > samples_of(run.decoding):
        return None
    if sample > 1:
        run = replace(run, decoding={**run.decoding, "samples": 1, "sample": sample})
    if run.task != task:
        raise InputError(f"{path}: these are answers to {run.task}, not to {task}")
    return run


def settle_split(path: Path, before: EvaluationRun, run: EvaluationRun) -> EvaluationRun:
    """The run `before`, in `path`, with the split that it is about, which older ones do not say.

    Raises InputError where it is about another than `run`.
    """
    if before.split is None and before.questions != run.questions and run.split not in ("", ALL):
        raise InputError(
            f"{path}: this folder holds a run that an older LocVLM began, about all splits; go on "
            f"with --split {ALL}, or choose another --out for split {run.split}"
        )
    before = replace(before, split=before.split if before.split is not None else run.split)
    if before.split != run.split:
        raise InputError(
            f"{path}: this folder holds a run about split {before.split or ALL}, not "
            f"{run.split or ALL}; give --split {before.split or ALL}, or choose another --out"
        )
    return before


def split_of_run(task: Task, sources: Sources, run: EvaluationRun | None) -> Sources:
    """`sources` with the split that the run was asked about, where they say none.

    Runs of older versions were asked about all, in tasks about annotations that may have splits.
    """
    has_boxes = any(file.has_boxes for file in task.files.values())
    if sources.split is not None or run is None or not has_boxes:
        return sources
    return replace(sources, split=ALL if run.split is None else run.split or None)


def names_of_run(sources: Sources, run: EvaluationRun | None) -> Sources:
    """`sources` with the words for categories that the run asked with, where they say none."""
    if sources.names is not None or run is None or not run.names:
        return sources
    return replace(sources, names=run.names)


def read_answers(path: Path, questions: QuestionSet, columns: Columns) -> dict[str, Prediction]:
    """The answers in a file by their questions' ids; each must be to one that is asked."""
    rows = read_predictions(path, columns)
    if not rows:
        raise InputError(f"{path}: holds no answers")
    expected = {question.id: question.expected for question in questions}
    for row in rows:
        if row.id not in expected or row.expected not in ("", expected[row.id]):
            raise InputError(
                f"{path}: {row.id!r} is no question of {questions.source}, or its picture is not "
                "in --images, or it is of another split (give --split); questions that are drawn "
                "need the seed and the options of the run"
            )
    return {row.id: row for row in rows}


def select_answered(
    path: Path,
    questions: QuestionSet,
    answers: Mapping[str, Prediction],
    run: EvaluationRun | None,
    *,
    allow_missing: bool,
) -> list[Question]:
    """Those with an answer, but for those about what the model does not see.

    Raises InputError where one has none, its picture could be read, and that is not allowed.
    """
    limit, unreadable = (run.limit, run.unreadable) if run else (None, {})
    unseen = set(run.unseen if run else ())
    groups = questions_by_image(questions, limit, seed=sample_seed(run)).values()
    wanted = [q for group in groups for q in group if q.id not in unseen]
    missing = [q.id for q in wanted if q.id not in answers and q.image not in unreadable]
    if missing and not allow_missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(wanted)} questions have no answer, the first is "
            f"{missing[0]!r}; answer them, or score the others with --allow-missing"
        )
    return [question for question in wanted if question.id in answers]


def model_name(rows: Iterable[Prediction], path: Path) -> str:
    """Of the one that gave the answers. Raises InputError where there are several."""
    models = sorted({row.model for row in rows})
    if len(models) > 1:
        raise InputError(f"{path}: answers of {', '.join(models)}; keep one model per file")
    return models[0] or path.stem
