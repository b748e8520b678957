"""Which tasks can ask about a detection data set, and why the others cannot.

Each task makes its questions as it would be asked: what is counted here is what `eval` asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from locvlm.annotations.base import AnnotationSet
from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.questions.detections import read_annotations
from locvlm.evaluation.task import NoQuestionsError, QuestionSet, Sources, Task


@dataclass(frozen=True, slots=True)
class TaskFit:
    """What a task can ask about a data set."""

    questions: int
    images: int  # that they are about
    skipped: Mapping[str, int]  # reason -> images that give no question


@dataclass(frozen=True)
class Fitting:
    """The tasks that read a detection data set, by whether they fit this one."""

    fits: Mapping[str, TaskFit]  # task -> what it asks
    left_out: Mapping[str, str]  # task -> why it can ask nothing

    def __str__(self) -> str:
        """Such as ``locate (66 questions), describe (103 questions)``; "none"."""
        shown = (f"{name} ({fit.questions} questions)" for name, fit in self.fits.items())
        return ", ".join(shown) or "none"


def detection_tasks() -> list[Task]:
    """The tasks that ask about any detection data set, in the order in which they are listed."""
    known = (tasks.get(name) for name in tasks.names())
    return [task for task in known if task.ask_about is not None]


def tasks_for(
    data: AnnotationSet | Sources,
    *,
    seed: int = 0,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Fitting:
    """Which tasks fit a detection data set; no image is opened.

    Args:
        data: the data set, or where it lies: its `annotations`.
        seed: of what the tasks draw.
        options: task -> its own options, where they are not at their defaults.

    Raises:
        InputError: the annotations cannot be read, or a task has no such option.
    """
    if isinstance(data, Sources):
        data = read_annotations(data)
    fits, left_out = dict[str, TaskFit](), dict[str, str]()
    for task in detection_tasks():
        settings = tasks.resolve_options(task, (options or {}).get(task.name, {}))
        assert task.ask_about is not None
        try:
            asked = task.ask_about(data, seed=seed, options=settings)
        except InputError as error:
            left_out[task.name] = str(error)
            continue
        if asked.questions:
            fits[task.name] = _count(asked)
        else:
            left_out[task.name] = tasks.tell_why_none(asked)
    return Fitting(fits, left_out)


def load_questions(
    name: str, sources: Sources, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """As `tasks.load`; where detection annotations give no question, the tasks that fit are named.

    Raises:
        InputError: as `tasks.load`.
    """
    try:
        return tasks.load(name, sources, seed=seed, options=options)
    except NoQuestionsError as error:
        if tasks.get(name).ask_about is None or "annotations" not in sources.files:
            raise
        fitting = tasks_for(sources, seed=seed)
        if not fitting.fits:
            raise
        raise NoQuestionsError(error.reason, f"tasks that fit: {fitting}") from None


def _count(asked: QuestionSet) -> TaskFit:
    images = {question.image for question in asked}
    return TaskFit(len(asked), len(images), dict(asked.skipped))
