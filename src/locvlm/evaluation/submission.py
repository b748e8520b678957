"""The file to hand in where a server alone has the true answers (test splits): no scores here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from locvlm.coordinates.answers import find_answer
from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.answered import model_name, read_answers, select_answered
from locvlm.evaluation.predictions import Columns
from locvlm.evaluation.provenance import describe_run
from locvlm.evaluation.reports.report import write_report
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.task import QuestionSet, Task
from locvlm.io.atomic import ensure_dir, write_bytes
from locvlm.io.json_rows import write_json


def write_submission(
    task: Task,
    questions: QuestionSet,
    predictions: Path,
    out: Path,
    *,
    run: EvaluationRun,
    seed: int,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Write ``submission.json``, and what there is to say in place of scores.

    A server wants every question of the split. One without an answer is answered by an empty text:
    its picture is missing or cannot be read, or it was not asked because of the run's limit.

    Args:
        task: one with a `Submission`.
        questions: those of a split whose true answers are secret.
        predictions: what was answered.
        out: folder of the run.
        run: see `scoring.score_questions`; so are the next two.
        seed: of what the task draws.
        options: the task's own.

    Returns:
        what ``scores.json`` holds, with no scores and ``submission``: name of the file, how many
        answers it has, how many questions are answered by an empty text, and where to hand it in.
    """
    form = task.submission
    if form is None:
        raise InputError(f"{questions.source}: has no true answers; give a file with them")
    answers = read_answers(predictions, questions, Columns())
    answered = select_answered(predictions, questions, answers, run, allow_missing=False)
    texts = {question.id: find_answer(answers[question.id].answer) for question in answered}
    ids = [*(question.id for question in questions), *questions.not_asked]
    rows = [form.row(id, texts.get(id, "")) for id in ids]
    result = {
        "task": task.name,
        "model": model_name(answers.values(), predictions),
        **describe_run(task, questions, answers, answered, run, seed=seed, options=options),
        "submission": {
            "file": run_files.SUBMISSION,
            "answers": len(texts),
            "empty": len(ids) - len(texts),
            "server": form.server,
        },
        "scores": {},
    }
    write_bytes(ensure_dir(out) / run_files.SUBMISSION, msgspec.json.encode(rows) + b"\n")
    write_json(out / run_files.SCORES, result)
    write_report(out, task, result, (), None)
    return result


def format_submission(result: Mapping[str, Any], folder: Path | None) -> list[str]:
    """Lines that say what became of the answers; `result` is what ``scores.json`` holds."""
    submission = result["submission"]
    path = submission["file"] if folder is None else folder / submission["file"]
    lines = [
        f"nothing to score here: the true answers to {result['data']} are not public",
        f"{path}: {submission['answers']} answers, to be handed in as {submission['server']} says",
    ]
    if empty := submission["empty"]:
        lines.append(
            f"questions without an answer: {empty}; a server wants all, so they are empty there"
        )
    return lines
