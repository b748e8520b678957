"""Ask a model a task's questions, write its answers down, and score what was written.

The figures of a run and of a later `scoring.score` come from the same code and the same file.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import msgspec
from PIL import Image

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.evaluation import files, tasks
from locvlm.evaluation.files import Run
from locvlm.evaluation.predictions import Prediction, read_predictions
from locvlm.evaluation.questions import Question, QuestionSet, Task
from locvlm.evaluation.scoring import first_images, score
from locvlm.evaluation.sources import Sources
from locvlm.geometry import Frame, Size
from locvlm.inference.pictures import open_annotated, open_picture
from locvlm.instructions.render import render

AT_ONCE = 32  # questions; what a kill can cost
PACKAGES = ("locvlm", "torch", "transformers", "peft", "numpy", "pillow")  # whose versions are kept


class Predictor(Protocol):
    """What a model must be able to do to be evaluated."""

    @property
    def name(self) -> str: ...

    @property
    def coordinates(self) -> CoordinateFormat: ...

    @property
    def decoding(self) -> Mapping[str, Any]:
        """How answers are made, for the record."""

    def frame(self, size: Size) -> Frame:
        """From the original pixels of a picture of `size` (width, height) to the model's."""

    def answer_all(self, asked: list[tuple[Image.Image, list[str]]]) -> list[list[str]]:
        """One answer per question about upright RGB pictures, none of which knows of another."""


def evaluate(
    predictor: Predictor,
    task: str,
    sources: Sources,
    out: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    **options: Any,
) -> dict[str, Any]:
    """Ask, write and score; returns what ``scores.json`` holds.

    A run that was killed goes on where it stopped.

    Args:
        predictor: the model.
        task: name of the task.
        sources: its files, and the folder of the pictures.
        out: folder of the run.
        limit: pictures with questions to ask about, the first ones; None: all.
        seed: of what the task draws.
        options: the task's own.

    Raises:
        InputError: an unknown task or option; a file is missing; no question can be made; a
            picture is missing or of another size than annotated; `out` holds another run.
    """
    check_pictures(tasks.get(task))
    settings = tasks.settle(tasks.get(task), options)
    asked = tasks.load(task, sources, seed=seed, options=settings)
    per_image = first_images(asked, limit)
    run = Run(
        task=task,
        model=predictor.name,
        coordinates=_format_of(predictor),
        decoding=dict(predictor.decoding),
        seed=seed,
        options=settings,
        questions=_digest(asked),
        limit=limit,
        versions=_versions(),
    )
    path = _open_run(out, run)
    done = {row.id for row in read_predictions(path)}
    rest = {
        image: left
        for image, group in per_image.items()
        if (left := [question for question in group if question.id not in done])
    }
    images = sources.images or Path()
    _ask_all(predictor, rest, images, path, f"{task} · {predictor.name}")
    return score(task, path, sources, out, seed=seed, **options)


def check_pictures(task: Task) -> None:
    """Raises InputError where the task asks about clips, which the models here do not read."""
    if task.CARD.clips:
        raise InputError(
            f"task {task.NAME} is about clips, and models read pictures here; score the answers of "
            f"another tool with locvlm score {task.NAME}"
        )


def _digest(asked: QuestionSet) -> str:
    """Changes with any id, picture, wording, location or expected answer."""
    return hashlib.sha256(msgspec.json.encode(asked.questions)).hexdigest()[:16]


def _format_of(predictor: Predictor) -> dict[str, Any]:
    return {"format": predictor.coordinates.name, "options": predictor.coordinates.options}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _open_run(out: Path, run: Run) -> Path:
    """The predictions file of a new run, or of this very run, begun earlier."""
    out.mkdir(parents=True, exist_ok=True)
    path, settings = out / files.PREDICTIONS, out / files.RUN
    if settings.exists():
        before = files.read_json(settings, Run)
        # It may go on with more pictures, and with other versions of the libraries
        old, new = (msgspec.to_builtins(replace(r, limit=None, versions={})) for r in (before, run))
        for key, value in new.items():
            if old[key] != value:
                raise InputError(
                    f"{settings}: this folder holds a run with {key} {old[key]!r}, "
                    f"not {value!r}; choose another --out"
                )
    elif path.exists():
        raise InputError(f"{path}: answers without their {files.RUN}; choose another --out")
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
        picture = _open(images / group[0].image, group[0].size)
        frame = predictor.frame(picture.size)
        prompts = [render(item.instruction, predictor.coordinates, frame)[0] for item in group]
        asked.append((picture, prompts))
        frames.append(frame)
    answers = predictor.answer_all(asked)
    for group, frame, (_, prompts), texts in zip(groups, frames, asked, answers, strict=True):
        for question, prompt, answer in zip(group, prompts, texts, strict=True):
            yield Prediction(
                id=question.id,
                answer=answer,
                image=question.image,
                model=predictor.name,
                prompt=prompt,
                expected=question.expected,
                coordinates=_format_of(predictor),
                frame=frame,
            )


def _open(path: Path, size: Size | None) -> Image.Image:
    return open_picture(path) if size is None else open_annotated(path, size)
