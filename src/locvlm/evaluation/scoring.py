"""Scores of written answers, without a model: the same file gives the same figures.

Every question must have its one answer: a missing one is told and never counted as wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from locvlm import coordinates as formats
from locvlm.annotations.drops import examples_of
from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.answers import find_answer
from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.judge import scores as judging
from locvlm.evaluation.judge.judge import Judge
from locvlm.evaluation.predictions import Columns, Prediction, read_predictions
from locvlm.evaluation.reports.report import write_report
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.samples import (
    AnswerFiles,
    mean_scores,
    sample_number,
    sample_path,
    samples_of,
)
from locvlm.evaluation.sources import check_truths
from locvlm.evaluation.task import (
    AnswerContext,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    group_by_image,
)
from locvlm.evaluation.unread import UnreadAnswers
from locvlm.evaluation.unseen import count_unseen
from locvlm.geometry import Frame
from locvlm.instructions.visible import REASON
from locvlm.io.atomic import ensure_dir
from locvlm.io.json_rows import write_json, write_rows
from locvlm.version import __version__


def score(
    task: str,
    predictions: Path,
    sources: Sources,
    out: Path | None = None,
    *,
    coordinates: CoordinateFormat | None = None,
    allow_missing: bool = False,
    judge: Judge | None = None,
    seed: int | None = None,
    columns: Columns | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Score the answers in a file; returns what ``scores.json`` holds.

    Args:
        task: name of the task.
        predictions: answers (see `predictions`); the first file of a run with several samples
            stands for all of them, any other for its sample alone.
        sources: the task's files; with the folder of the pictures or clips the report shows some.
        out: folder of ``scored.jsonl``, ``scores.json`` and ``report.md``; None: none are written.
        coordinates: how the answers write locations, where their rows do not say it.
        allow_missing: score those that are there where some are missing, and say how many.
        judge: reads free answers, beside the task's own rule; keeps its replies beside the answers.
        seed: of what the task draws; None: that of the ``run.json`` beside the answers, or 0.
        columns: of the answers' file, where their names do not tell.
        options: the task's own, before those of the ``run.json``.

    Raises:
        InputError: an answer is missing, or is to no question of these files; the judge fails, or
            the task has no free answers.
    """
    kind = tasks.get(task)
    if judge is not None:
        judging.check_free_answers(kind)
    run = read_run_beside(predictions, task)
    seed = seed if seed is not None else run.seed if run else 0
    settings = tasks.resolve_options(kind, {**(run.options if run else {}), **options})
    questions = tasks.load(task, sources, seed=seed, options=settings)
    check_truths(kind, questions)
    if questions.truths == "secret":
        raise InputError(
            f"{questions.source}: has no true answers, for they are not public; locvlm eval writes "
            f"{run_files.SUBMISSION}, to be handed in{_where(kind)}"
        )
    return score_questions(
        kind,
        questions,
        predictions,
        out,
        run=run,
        seed=seed,
        options=settings,
        coordinates=coordinates,
        allow_missing=allow_missing,
        judge=judge,
        columns=columns,
    )


def score_questions(
    task: Task,
    questions: QuestionSet,
    predictions: Path,
    out: Path | None,
    *,
    run: EvaluationRun | None,
    seed: int,
    options: Mapping[str, Any],
    coordinates: CoordinateFormat | None = None,
    allow_missing: bool = False,
    judge: Judge | None = None,
    columns: Columns | None = None,
) -> dict[str, Any]:
    """As `score`, of `questions` that `tasks.load` made by this `seed`, with these `options`.

    `run` is what ``run.json`` beside the answers holds; None: they come from elsewhere.
    """
    answers: list[dict[str, Prediction]] = []  # of each sample
    answered: list[Question] = []  # in every sample
    for path in AnswerFiles(predictions, samples_of(run.decoding if run else None)).paths:
        answers.append(read_answers(path, questions, columns or Columns()))
        there = select_answered(path, questions, answers[-1], run, allow_missing=allow_missing)
        answered = [q for q in answered if q.id in answers[-1]] if answers[1:] else there
    unread = UnreadAnswers()
    samples = [
        [_score_one(task, q, of[q.id], questions, coordinates, unread) for q in answered]
        for of in answers
    ]
    scores, judged = [task.summarize(rows, seed=seed) for rows in samples], None
    if judge is not None:
        cache = judging.cache_path(predictions)
        judged = judging.judge_samples(judge, task, answered, samples, cache, seed=seed)
        samples = [judgement.rows for judgement in judged]
        scores = [own | of.scores for own, of in zip(scores, judged, strict=True)]
    result = {
        "task": task.name,
        "model": model_name((row for of in answers for row in of.values()), predictions),
        **describe_run(task, questions, answers[0], answered, run, seed=seed, options=options),
        **unread.record(),
        **({"judge": judged[0].record} if judged else {}),
        "scores": msgspec.to_builtins(mean_scores(scores)),
    }
    if out is not None:
        for number, rows in enumerate(samples, 1):
            write_rows(sample_path(ensure_dir(out) / run_files.SCORED, number), rows)
        write_json(out / run_files.SCORES, result)
        write_report(out, task, result, samples[0], questions.sources.media_folder(task))
    return result


def describe_run(
    task: Task,
    questions: QuestionSet,
    answers: Mapping[str, Prediction],
    answered: Sequence[Question],
    run: EvaluationRun | None,
    *,
    seed: int,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """What ``scores.json`` holds beside the scores: how they came about, and what is left out."""
    unreadable, unseen = (run.unreadable, run.unseen) if run else ({}, [])
    rows = [answers[question.id] for question in answered]
    notes = {q.image: list(row.notes) for q, row in zip(answered, rows, strict=True) if row.notes}
    cut = sorted({q.image for q, row in zip(answered, rows, strict=True) if row.cut})
    return {
        "model_digest": run.model_digest if run else None,
        "data": questions.source,
        "files": questions.sources.digests(),
        "seed": seed,
        "options": options,
        "decoding": run.decoding if run else None,
        "versions": run.versions if run else {"locvlm": __version__},
        "prompt": (rows[0].prompt or answered[0].instruction.question) if rows else "",
        "questions": len(rows),
        "unanswered": len(questions) - len(rows) - len(unseen),
        "pictures": len({question.image for question in answered}),
        "skipped": {
            **questions.skipped,
            **_count_unreadable(task, unreadable),
            **count_unseen(unseen),
        },
        "dropped": dict(questions.dropped),
        **_first_of_each(questions, unseen),
        **({"remarks": questions.remarks} if questions.remarks else {}),
        **({"cut": cut} if cut else {}),
        **({"notes": notes} if notes else {}),
        **({"unreadable": unreadable} if unreadable else {}),
        **({"unseen": unseen} if unseen else {}),
    }


def _where(task: Task) -> str:
    return f" as {task.submission.server} says" if task.submission else ""


def questions_by_image(questions: QuestionSet, limit: int | None) -> dict[str, list[Question]]:
    """Questions by picture, in the order of the pictures; of the first `limit` pictures alone."""
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1 picture, not {limit}")
    return dict(islice(group_by_image(questions).items(), limit))


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
                "in --images; questions that are drawn need the seed and the options of the run"
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
    groups = questions_by_image(questions, limit).values()
    wanted = [q for group in groups for q in group if q.id not in unseen]
    missing = [q.id for q in wanted if q.id not in answers and q.image not in unreadable]
    if missing and not allow_missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(wanted)} questions have no answer, the first is "
            f"{missing[0]!r}; answer them, or score the others with --allow-missing"
        )
    return [question for question in wanted if question.id in answers]


def _count_unreadable(task: Task, unreadable: Mapping[str, str]) -> dict[str, int]:
    what = "clips" if task.card.clips else "pictures"
    return {f"{what} that cannot be read": len(unreadable)} if unreadable else {}


def _first_of_each(questions: QuestionSet, unseen: Sequence[str]) -> dict[str, dict[str, str]]:
    """For ``scores.json``: reason -> the first that was skipped or dropped, where it is known."""
    counts = (questions.skipped, questions.dropped)
    found = {why: one for n in counts for why, one in examples_of(n).items() if n[why]}
    if unseen:
        found[REASON] = unseen[0]
    return {"examples": found} if found else {}


def _score_one(
    task: Task,
    question: Question,
    row: Prediction,
    questions: QuestionSet,
    coordinates: CoordinateFormat | None,
    unread: UnreadAnswers,
) -> ScoredAnswer:
    if row.coordinates is not None:
        coordinates = formats.get(row.coordinates["format"], **row.coordinates["options"])
    frame = row.frame or (Frame.identity(question.size) if question.size else None)
    context, answer = (
        AnswerContext(coordinates, frame, questions.categories),
        find_answer(row.answer),
    )
    outcome = task.score(question, answer, context)
    unread.add(row, answer, context)
    return ScoredAnswer(
        id=row.id,
        image=question.image,
        prompt=row.prompt or question.instruction.question,
        answer=row.answer,
        expected=question.expected,
        meta=dict(question.meta),
        marks=question.marks,
        hit=outcome.hit,
        values=dict(outcome.values),
        found=outcome.found,
        accepted=question.accepted,
        mirrored=question.mirrored,
    )


def model_name(rows: Iterable[Prediction], path: Path) -> str:
    """Of the one that gave the answers. Raises InputError where there are several."""
    models = sorted({row.model for row in rows})
    if len(models) > 1:
        raise InputError(f"{path}: answers of {', '.join(models)}; keep one model per file")
    return models[0] or path.stem
