"""Scores of written answers, without a model: the same file gives the same figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from locvlm import coordinates as formats
from locvlm.annotations.wording import synonyms_of
from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.answers import find_answer
from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.answered import (
    model_name,
    names_of_run,
    read_answers,
    read_run_beside,
    select_answered,
    split_of_run,
)
from locvlm.evaluation.categories import score_categories
from locvlm.evaluation.fitting import load_questions
from locvlm.evaluation.judge import scores as judging
from locvlm.evaluation.judge.judge import Judge
from locvlm.evaluation.learned import score_apart
from locvlm.evaluation.predictions import Columns, Prediction
from locvlm.evaluation.provenance import describe_run
from locvlm.evaluation.reports.report import write_report
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.samples import AnswerFiles, mean_scores, sample_path, samples_of
from locvlm.evaluation.sources import check_truths
from locvlm.evaluation.task import (
    AnswerContext,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
)
from locvlm.evaluation.unread import UnreadAnswers
from locvlm.geometry import Frame
from locvlm.io.atomic import ensure_dir
from locvlm.io.json_rows import write_json, write_rows


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
    before = {**kind.earlier, **run.options} if run else {}
    settings = tasks.resolve_options(kind, {**before, **options})
    sources = names_of_run(split_of_run(kind, sources, run), run)
    questions = load_questions(task, sources, seed=seed, options=settings)
    check_truths(kind, questions)
    if questions.truths == "secret":
        where = f" as {kind.submission.server} says" if kind.submission else ""
        raise InputError(
            f"{questions.source}: has no true answers, for they are not public; locvlm eval writes "
            f"{run_files.SUBMISSION}, to be handed in{where}"
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
    learned = run.learned.images if run and run.learned else {}
    result = {
        "task": task.name,
        "model": model_name((row for of in answers for row in of.values()), predictions),
        **describe_run(task, questions, answers[0], answered, run, seed=seed, options=options),
        **unread.record(),
        **({"judge": judged[0].record} if judged else {}),
        "scores": msgspec.to_builtins(
            {**mean_scores(scores), **score_apart(task, samples, learned, seed=seed)}
        ),
    }
    if categories := score_categories(task, samples):
        result["categories"] = categories
    if out is not None:
        for number, rows in enumerate(samples, 1):
            write_rows(sample_path(ensure_dir(out) / run_files.SCORED, number), rows)
        write_json(out / run_files.SCORES, result)
        write_report(out, task, result, samples[0], questions.sources.media_folder(task))
    return result


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
    names = questions.categories
    context = AnswerContext(coordinates, frame, names, synonyms_of(questions.names))
    answer = find_answer(row.answer)
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
