"""Put questions to a model: prompts through its own format and frame, answers as they are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.evaluation.predictions import Prediction
from locvlm.evaluation.questions import Question
from locvlm.geometry import Frame, Size
from locvlm.inference.pictures import open_annotated, open_picture
from locvlm.instructions.render import render

AT_ONCE = 32  # questions; what a kill can cost

Way = Literal["generate", "choice"]  # say it freely, or take the likeliest of the task's choices
Asked = list[tuple[Image.Image, list[str]]]  # upright RGB pictures with their prompts


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

    def answer_all(self, asked: Asked) -> list[list[str]]:
        """One answer per question, none of which knows of another."""

    def choose_all(self, asked: Asked, choices: list[Sequence[str]]) -> list[list[str]]:
        """The likeliest of each question's choices."""


def format_of(predictor: Predictor) -> dict[str, Any]:
    """How the model writes locations, for the record."""
    return {"format": predictor.coordinates.name, "options": predictor.coordinates.options}


def decoding_of(predictor: Predictor, way: Way) -> dict[str, Any]:
    """How answers are made, for the record."""
    if way == "generate":
        return dict(predictor.decoding)
    return {**predictor.decoding, "method": "the likeliest choice"}


def check_way(way: Way, task: str, questions: Iterable[Question]) -> None:
    """Raises InputError where a choice is wanted and there is none."""
    if way == "choice" and not all(question.choices for question in questions):
        raise InputError(f"questions of {task} have no choices; use --answer generate")


def together(groups: Iterable[list[Question]]) -> Iterator[list[list[Question]]]:
    """As many pictures as give about `AT_ONCE` questions; a group is about one picture."""
    chunk: list[list[Question]] = []
    for group in groups:
        if chunk and sum(map(len, chunk)) + len(group) > AT_ONCE:
            yield chunk
            chunk = []
        chunk.append(group)
    if chunk:
        yield chunk


def ask(
    predictor: Predictor, images: Path, groups: list[list[Question]], way: Way
) -> Iterator[Prediction]:
    """All questions about some pictures at once; each group is about one, below `images`."""
    asked, frames = [], []
    for group in groups:
        picture = _open(images / group[0].image, group[0].size)
        frame = predictor.frame(picture.size)
        prompts = [render(item.instruction, predictor.coordinates, frame)[0] for item in group]
        asked.append((picture, prompts))
        frames.append(frame)
    answers = _answers(predictor, asked, groups, way)
    for group, frame, (_, prompts), texts in zip(groups, frames, asked, answers, strict=True):
        for question, prompt, answer in zip(group, prompts, texts, strict=True):
            yield Prediction(
                id=question.id,
                answer=answer,
                image=question.image,
                model=predictor.name,
                prompt=prompt,
                expected=question.expected,
                coordinates=format_of(predictor),
                frame=frame,
            )


def _answers(
    predictor: Predictor, asked: Asked, groups: list[list[Question]], way: Way
) -> list[list[str]]:
    if way == "generate":
        return predictor.answer_all(asked)
    return predictor.choose_all(asked, [question.choices for group in groups for question in group])


def _open(path: Path, size: Size | None) -> Image.Image:
    return open_picture(path) if size is None else open_annotated(path, size)
