"""Ask a model a task's questions; score the answers that were written down.

`evaluate` asks and writes ``predictions.jsonl``, then calls `score`, which reads it back: the
figures of a run and of a later `score` come from the same code and the same file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec
from PIL import Image

from locvlm import coordinates as formats
from locvlm.annotations.base import AnnotationSet
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.evaluation import files, tasks
from locvlm.evaluation.files import Prediction, Run
from locvlm.evaluation.questions import Question, QuestionSet, Reading, Scored, Task
from locvlm.evaluation.report import write_report
from locvlm.geometry import Frame, Size
from locvlm.inference.pictures import open_annotated
from locvlm.instructions.render import render

AT_ONCE = 32  # questions; what a kill can cost


class Predictor(Protocol):
    """What a model must be able to do to be evaluated."""

    @property
    def name(self) -> str: ...

    @property
    def coordinates(self) -> CoordinateFormat: ...

    def frame(self, size: Size) -> Frame:
        """From the original pixels of a picture of `size` (width, height) to the model's."""

    def answer_all(self, asked: list[tuple[Image.Image, list[str]]]) -> list[list[str]]:
        """One answer per question about upright RGB pictures, none of which knows of another."""


def evaluate(
    predictor: Predictor,
    task: str,
    annotations: AnnotationSet,
    images: Path,
    out: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    **options: Any,
) -> dict[str, Any]:
    """Ask, write and score; returns what ``scores.json`` holds.

    A run that was killed goes on where it stopped. `images` is the folder of the pictures, `limit`
    the number of pictures with questions to ask about (the first ones), `options` the task's own.

    Raises:
        InputError: an unknown task or option; no question can be made; a picture is missing or
            of another size than annotated; `out` holds another run.
    """
    kind = tasks.get(task)
    settings = tasks.settle(kind, options)
    asked = _questions(kind, annotations, seed, settings)
    per_image = _first_images(asked, limit)
    run = Run(task, predictor.name, _format_of(predictor), seed, settings, _digest(asked))
    path = _open_run(out, run)
    done = {row.id for row in files.read_predictions(path)}
    rest = {
        image: left
        for image, group in per_image.items()
        if (left := [question for question in group if question.id not in done])
    }
    _ask_all(predictor, rest, images, path, f"{task} · {predictor.name}")
    return score(task, path, annotations, out, images=images, seed=seed, **options)


def score(
    task: str,
    predictions: Path,
    annotations: AnnotationSet,
    out: Path,
    *,
    images: Path | None = None,
    seed: int | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Score written answers, without a model: the same file gives the same figures.

    `seed` and `options` not given are those of the ``run.json`` beside `predictions`, if there is
    one. Writes ``scored.jsonl``, ``scores.json`` and ``report.md`` into `out`; with `images`, the
    folder of the pictures, the report shows some.

    Raises:
        InputError: the answers are not to the questions that these annotations give.
    """
    kind = tasks.get(task)
    run = _run_beside(predictions, task)
    seed = seed if seed is not None else run.seed if run else 0
    settings = tasks.settle(kind, {**(run.options if run else {}), **options})
    asked = _questions(kind, annotations, seed, settings)
    rows = files.read_predictions(predictions)
    if not rows:
        raise InputError(f"{predictions}: holds no answers; run locvlm eval first")
    scored = _score_all(kind, asked, rows, annotations, predictions)
    result = {
        "task": task,
        "model": _one_model(rows, predictions),
        "data": annotations.source.name,
        "seed": seed,
        "options": settings,
        "questions": len(scored),
        "unanswered": len(asked) - len(scored),
        "pictures": len({row.image for row in scored}),
        "skipped": dict(asked.skipped),
        "dropped": dict(annotations.drops),
        "scores": msgspec.to_builtins(kind.summarize(scored, seed=seed)),
    }
    out.mkdir(parents=True, exist_ok=True)
    files.write_rows(out / files.SCORED, scored)
    files.write_json(out / files.SCORES, result)
    write_report(out, kind, result, scored, images)
    return result


def _questions(
    task: Task, annotations: AnnotationSet, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    asked = task.questions(annotations, seed=seed, options=options)
    if not asked.questions:
        why = "; ".join(f"{reason}: {n}" for reason, n in asked.skipped.items()) or "no pictures"
        raise InputError(
            f"{annotations.source}: no question for {task.NAME} can be made of it ({why}); "
            "use other annotations"
        )
    return asked


def _first_images(asked: QuestionSet, limit: int | None) -> dict[str, list[Question]]:
    """Questions by picture, in the order of the pictures."""
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1 picture, not {limit}")
    groups: dict[str, list[Question]] = {}
    for question in asked:
        groups.setdefault(question.image, []).append(question)
    return dict(islice(groups.items(), limit))


def _digest(asked: QuestionSet) -> str:
    """Changes with any id, picture, wording, location or expected answer."""
    return hashlib.sha256(msgspec.json.encode(asked.questions)).hexdigest()[:16]


def _format_of(predictor: Predictor) -> dict[str, Any]:
    return {"format": predictor.coordinates.name, "options": predictor.coordinates.options}


def _open_run(out: Path, run: Run) -> Path:
    """The predictions file of a new run, or of this very run, begun earlier."""
    out.mkdir(parents=True, exist_ok=True)
    path, settings = out / files.PREDICTIONS, out / files.RUN
    if settings.exists():
        before = msgspec.to_builtins(files.read_json(settings, Run))
        for key, value in msgspec.to_builtins(run).items():
            if before[key] != value:
                raise InputError(
                    f"{settings}: this folder holds a run with {key} {before[key]!r}, "
                    f"not {value!r}; choose another --out"
                )
    elif path.exists():
        raise InputError(f"{path}: answers without their {files.RUN}; choose another --out")
    else:
        files.write_json(settings, run)
    files.drop_torn_line(path)
    path.touch()
    return path


def _ask_all(
    predictor: Predictor,
    per_image: Mapping[str, list[Question]],
    images: Path,
    path: Path,
    title: str,
) -> None:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*Progress.get_default_columns(), console=Console(stderr=True)) as bar:
        shown = bar.add_task(title, total=len(per_image))
        for groups in _together(per_image.values()):
            files.append_rows(path, _ask(predictor, images, groups))
            bar.advance(shown, len(groups))


def _together(groups: Iterable[list[Question]]) -> Iterator[list[list[Question]]]:
    """As many pictures as give about `AT_ONCE` questions."""
    chunk: list[list[Question]] = []
    for group in groups:
        if chunk and sum(map(len, chunk)) + len(group) > AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(group)
    if chunk:
        yield chunk


def _ask(predictor: Predictor, images: Path, groups: list[list[Question]]) -> Iterator[Prediction]:
    """All questions about some pictures at once; each group is about one."""
    asked, frames = [], []
    for group in groups:
        frame = predictor.frame(group[0].size)
        prompts = [render(item.instruction, predictor.coordinates, frame)[0] for item in group]
        asked.append((open_annotated(images / group[0].image, group[0].size), prompts))
        frames.append(frame)
    answers = predictor.answer_all(asked)
    for group, frame, (_, prompts), texts in zip(groups, frames, asked, answers, strict=True):
        for question, prompt, answer in zip(group, prompts, texts, strict=True):
            yield Prediction(
                id=question.id,
                image=question.image,
                model=predictor.name,
                prompt=prompt,
                answer=answer,
                expected=question.expected,
                coordinates=_format_of(predictor),
                frame=frame,
            )


def _run_beside(predictions: Path, task: str) -> Run | None:
    path = predictions.parent / files.RUN
    if not path.exists():
        return None
    run = files.read_json(path, Run)
    if run.task != task:
        raise InputError(f"{path}: these are answers to {run.task}, not to {task}")
    return run


def _score_all(
    task: Task,
    asked: QuestionSet,
    rows: list[Prediction],
    annotations: AnnotationSet,
    path: Path,
) -> list[Scored]:
    """In the order of the questions, so that a resumed run gives the same files."""
    questions = {question.id: question for question in asked}
    for number, row in enumerate(rows, 1):
        if row.id not in questions or questions[row.id].expected != row.expected:
            raise InputError(
                f"{path}, line {number}: {row.id!r} is no question of {annotations.source} with "
                "this seed and these options; give those of the run"
            )
    answers = {row.id: row for row in rows}
    return [
        _score_one(task, question, answers[question.id], annotations.categories)
        for question in asked
        if question.id in answers
    ]


def _score_one(
    task: Task, question: Question, row: Prediction, categories: tuple[str, ...]
) -> Scored:
    written = formats.get(row.coordinates["format"], **row.coordinates["options"])
    outcome = task.score(question, row.answer, Reading(written, row.frame, categories))
    return Scored(
        id=row.id,
        image=row.image,
        prompt=row.prompt,
        answer=row.answer,
        expected=row.expected,
        meta=dict(question.meta),
        marks=question.marks,
        hit=outcome.hit,
        values=dict(outcome.values),
        found=outcome.found,
    )


def _one_model(rows: list[Prediction], path: Path) -> str:
    models = sorted({row.model for row in rows})
    if len(models) > 1:
        raise InputError(f"{path}: answers of {', '.join(models)}; keep one model per file")
    return models[0]
