"""How scores came about, and what was left out: what ``scores.json`` holds beside the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from locvlm.annotations.drops import examples_of
from locvlm.annotations.splits import ALL
from locvlm.evaluation.learned import count_learned
from locvlm.evaluation.limited import FIRST, SAMPLE, questions_by_image, sample_seed
from locvlm.evaluation.predictions import Prediction
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.task import Question, QuestionSet, Task
from locvlm.evaluation.unseen import count_unseen
from locvlm.instructions.visible import UNSEEN_QUESTIONS
from locvlm.version import __version__


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
    limit = run.limit if run else None
    asked = questions_by_image(questions, limit, seed=sample_seed(run))
    left_out = msgspec.to_builtins(list(questions.left_out))
    cut = sorted({q.image for q, row in zip(answered, rows, strict=True) if row.cut})
    return {
        "model_digest": run.model_digest if run else None,
        "data": questions.source,
        "split": questions.split,
        "files": questions.sources.digests(),
        "seed": seed,
        "options": options,
        "decoding": run.decoding if run else None,
        "versions": run.versions if run else {"locvlm": __version__},
        "prompt": (rows[0].prompt or answered[0].instruction.question) if rows else "",
        "questions": len(rows),
        "unanswered": sum(map(len, asked.values())) - len(rows) - len(unseen),
        **_tell_limit(run, len(asked), questions),
        "pictures": len({question.image for question in answered}),
        "skipped": {
            **questions.skipped,
            **_count_unreadable(task, unreadable),
            **count_unseen(unseen),
        },
        "dropped": dict(questions.dropped),
        **({"names": dict(questions.names)} if questions.names else {}),
        **({"left_out": left_out} if left_out else {}),
        **_first_of_each(questions, unseen),
        **({"remarks": questions.remarks} if questions.remarks else {}),
        **({"cut": cut} if cut else {}),
        **({"notes": notes} if notes else {}),
        **({"unreadable": unreadable} if unreadable else {}),
        **({"unseen": unseen} if unseen else {}),
        **({"learned": count_learned(run.learned, answered)} if run else {}),
    }


def tell_split(result: Mapping[str, Any]) -> str:
    """In words what ``scores.json`` says of the split; empty where the annotations have none."""
    split, of = result.get("split", ""), f"{result['pictures']} pictures"
    if split == ALL:
        return f"asked about all splits: {of}"
    return f"asked about split {split}: {of}" if split else ""


def _tell_limit(run: EvaluationRun | None, images: int, questions: QuestionSet) -> dict[str, Any]:
    """For ``scores.json``: how many images of all a limit has taken, and which."""
    every = len({question.image for question in questions})
    if run is None or images == every:
        return {}
    how = SAMPLE if run.sampled else FIRST
    return {"asked": {"images": images, "of_images": every, "how": how}}


def _count_unreadable(task: Task, unreadable: Mapping[str, str]) -> dict[str, int]:
    what = "clips" if task.card.clips else "pictures"
    return {f"{what} that cannot be read": len(unreadable)} if unreadable else {}


def _first_of_each(questions: QuestionSet, unseen: Sequence[str]) -> dict[str, dict[str, str]]:
    """For ``scores.json``: reason -> the first that was skipped or dropped, where it is known."""
    counts = (questions.skipped, questions.dropped)
    found = {why: one for n in counts for why, one in examples_of(n).items() if n[why]}
    if unseen:
        found[UNSEEN_QUESTIONS] = unseen[0]
    return {"examples": found} if found else {}
