"""Put questions to a model: prompts through its own format and frame, answers as they are given."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError, UnusableImageError
from locvlm.evaluation.predictions import Prediction
from locvlm.evaluation.task import Question, Task, digest_questions
from locvlm.geometry import Frame, Size
from locvlm.instructions.render import render
from locvlm.media.clips import Clip, open_clip
from locvlm.media.opening import View, mirror, open_media

AT_ONCE = 32  # questions, on a CPU; what a kill can cost
FRAMES_AT_ONCE = 64  # of clips, which are in memory together
PIXELS_AT_ONCE = 10**9  # of pictures, likewise: 3 GB
THREADS = min(16, os.cpu_count() or 1)  # that open pictures where a GPU waits for them

AnswerMethod = Literal[
    "generate", "choice"
]  # say it freely, or take the likeliest of the task's choices
ImageQuestions = list[tuple[View, list[str]]]  # upright RGB pictures, or clips, with their prompts


class Answerer(Protocol):
    """What a model must be able to do to be evaluated."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """Of its files, by which a run knows it again; "": it goes by its name alone."""

    @property
    def frames(self) -> int | None:
        """Of a clip, that it reads; None: it reads pictures alone."""

    @property
    def at_once(self) -> int:
        """Questions that are worth asking together."""

    @property
    def coordinates(self) -> CoordinateFormat: ...

    @property
    def decoding(self) -> Mapping[str, Any]:
        """How answers are made, for the record."""

    def frame(self, size: Size) -> Frame:
        """From the pixels of a picture or clip of `size` (width, height) to the model's."""

    def answer_all(self, queries: ImageQuestions) -> list[list[str]]:
        """One answer per question, none of which knows of another."""

    def sample_all(self, queries: ImageQuestions, samples: int) -> list[list[list[str]]]:
        """Several drawn answers per question: of each sample as `answer_all`."""

    def choose_all(self, queries: ImageQuestions, choices: list[Sequence[str]]) -> list[list[str]]:
        """The likeliest of each question's choices."""


def format_record(predictor: Answerer) -> dict[str, Any]:
    """How the model writes locations, for the record."""
    return {"format": predictor.coordinates.name, "options": predictor.coordinates.options}


def decoding_record(predictor: Answerer, method: AnswerMethod, samples: int = 1) -> dict[str, Any]:
    """How answers are made, for the record."""
    drawn = {"samples": samples} if is_drawing(predictor) else {}
    frames = {} if predictor.frames is None else {"frames": predictor.frames}
    if method == "generate":
        return {**predictor.decoding, **drawn, **frames}
    return {**predictor.decoding, **frames, "method": "the likeliest choice"}


def is_drawing(predictor: Answerer) -> bool:
    """Whether its answers are drawn at a temperature."""
    return "temperature" in predictor.decoding


def check_method(method: AnswerMethod, task: str, questions: Iterable[Question]) -> None:
    """Raises InputError where a choice is wanted and there is none."""
    if method == "choice" and not all(question.choices for question in questions):
        raise InputError(f"questions of {task} have no choices; use --answer generate")


def check_clips(predictor: Answerer, task: Task) -> None:
    """Raises InputError where the task is about clips, and the model does not read any."""
    if task.card.clips and predictor.frames is None:
        raise InputError(
            f"task {task.name} is about clips, and {predictor.name} reads pictures; use a model "
            "that reads clips, such as tiny-video"
        )


def batch_questions(
    groups: Iterable[list[Question]], frames: int | None = None, at_once: int = AT_ONCE
) -> Iterator[list[list[Question]]]:
    """As many pictures or clips as give about `at_once` questions; a group is about one.

    Of clips with so many `frames` no more than have `FRAMES_AT_ONCE` together, of pictures whose
    size is known no more than have `PIXELS_AT_ONCE`, but one at least.
    """
    most = at_once if frames is None else max(1, FRAMES_AT_ONCE // frames)
    chunk: list[list[Question]] = []
    questions = pixels = 0
    for group in groups:
        questions, pixels = questions + len(group), pixels + _pixels(group)
        if chunk and (len(chunk) == most or questions > at_once or pixels > PIXELS_AT_ONCE):
            yield chunk
            chunk, questions, pixels = [], len(group), _pixels(group)
        chunk.append(group)
    if chunk:
        yield chunk


def _pixels(group: list[Question]) -> int:
    width, height = group[0].size or (0, 0)
    return width * height


def ask_questions(
    predictor: Answerer,
    folder: Path,
    groups: list[list[Question]],
    method: AnswerMethod,
    *,
    clips: bool = False,
    unreadable: dict[str, str] | None = None,
    samples: int = 1,
) -> Iterator[list[Prediction]]:
    """All questions about some pictures or clips at once; none about those that cannot be shown.

    Gives the answers to each question, one of each sample.

    Args:
        predictor: the model.
        folder: of the pictures or clips.
        groups: the questions about each.
        method: how it answers.
        clips: they are clips, whatever their names; else, pictures or annotated clips.
        unreadable: picture or clip -> why it cannot be shown; added to. None: that is an error.
        samples: how many answers to each question.
    """
    queries: ImageQuestions = []
    frames, readable = [], []
    opened = _open_media(predictor, folder, groups, clips=clips)
    for group, (view, error) in zip(groups, opened, strict=True):
        if view is None:
            if unreadable is None:
                raise InputError(error)
            unreadable[group[0].image] = error
            continue
        frame = predictor.frame(view.size)
        prompts = [render(item.instruction, predictor.coordinates, frame)[0] for item in group]
        queries.append((view, prompts))
        frames.append(frame)
        readable.append(group)
    answers = _answer_usable(predictor, folder, queries, readable, method, unreadable, samples)
    cut = list(getattr(predictor, "cut_answers", ()) if method == "generate" else ())
    one_sample, place = len(cut) // samples, 0
    for group, frame, (view, prompts), texts in zip(
        readable, frames, queries, answers, strict=True
    ):
        if texts is None:
            continue
        for question, prompt, *said in zip(group, prompts, *texts, strict=True):
            row = Prediction(
                id=question.id,
                answer="",
                image=question.image,
                model=predictor.name,
                prompt=prompt,
                expected=question.expected,
                coordinates=format_record(predictor),
                frame=frame,
                cut=isinstance(view, Clip) and view.cut,
                digest=digest_questions(question),
                notes=view.notes if isinstance(view, Clip) else (),
            )
            cuts = cut[place::one_sample] if cut else [False] * samples
            yield [replace(row, answer=a, truncated=c) for a, c in zip(said, cuts, strict=True)]
            place += 1


def _answer_usable(
    predictor: Answerer,
    folder: Path,
    queries: ImageQuestions,
    groups: list[list[Question]],
    method: AnswerMethod,
    unreadable: dict[str, str] | None,
    samples: int,
) -> list[list[list[str]] | None]:
    """Each sample's answers to each group's questions; None where the processor refuses it.

    What it refuses is noted and left out, and all others are asked together again.
    """
    answers: list[list[list[str]] | None] = [None] * len(queries)
    left = list(range(len(queries)))
    while left:
        asked = [queries[i] for i in left], [groups[i] for i in left]
        try:
            found = _call_model(predictor, *asked, method, samples)
        except UnusableImageError as error:
            place = 0 if len(left) == 1 else error.place
            if unreadable is None or place is None:
                raise
            name = groups[left.pop(place)][0].image
            unreadable[name] = f"{folder / name}: {error}"
            continue
        for i, *texts in zip(left, *found, strict=True):
            answers[i] = texts
        break
    return answers


def _call_model(
    predictor: Answerer,
    queries: ImageQuestions,
    groups: list[list[Question]],
    method: AnswerMethod,
    samples: int,
) -> list[list[list[str]]]:
    """Of each sample the answers to each group's questions."""
    if method == "choice":
        choices: list[Sequence[str]] = [question.choices for group in groups for question in group]
        return [predictor.choose_all(queries, choices)]
    if samples == 1:
        return [predictor.answer_all(queries)]
    return predictor.sample_all(queries, samples)


def _open_media(
    predictor: Answerer, folder: Path, groups: list[list[Question]], *, clips: bool
) -> list[tuple[View | None, str]]:
    """What each group is about; where that cannot be shown, None and the reason."""

    def open_group(group: list[Question]) -> tuple[View | None, str]:
        return open_view(predictor, folder, group[0], clip=clips)

    if predictor.at_once <= AT_ONCE:
        return list(map(open_group, groups))
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(open_group, groups))


def open_view(
    predictor: Answerer, folder: Path, question: Question, *, clip: bool
) -> tuple[View | None, str]:
    """A picture, or a clip that was annotated like one (`locvlm pseudo video`).

    None, and the reason, where it cannot be shown to the model, or has another size than annotated.
    """
    path = folder / question.image
    try:
        if clip and predictor.frames is not None:
            view: View = open_clip(path, predictor.frames)
        else:
            view = open_media(path, predictor.frames)
            if question.size not in (None, view.size):  # says what is wrong
                open_media(path, predictor.frames, annotated_size=question.size)
        view = mirror(view) if question.mirrored else view
        predictor.frame(view.size)
    except InputError as error:
        name = "" if str(path) in str(error) else f"{path}: "
        return None, f"{name}{error}"
    return view, ""
