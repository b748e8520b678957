"""How much training and how many questions fit into the minutes, by what was timed here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

STEPS = 4  # of training, at least; fewer show no fall of the loss


class TaskPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a task is asked."""

    questions: int
    images: int
    all_questions: int
    all_images: int


class TunePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done, and how long that should take."""

    steps: int  # of each training
    all_steps: int  # the most that are worth it
    tasks: dict[str, TaskPlan]
    training: float  # seconds, of all trainings together
    asking: float  # seconds, of all models together
    lacking: float  # seconds that even the least takes beyond the budget
    all_seconds: float  # what training and asking take if nothing is left out

    @property
    def asked(self) -> int:
        """Questions to each model."""
        return sum(part.questions for part in self.tasks.values())

    @property
    def askable(self) -> int:
        """As `asked`, if nothing was left out."""
        return sum(part.all_questions for part in self.tasks.values())

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.steps == self.all_steps and self.asked == self.askable

    @property
    def more(self) -> int:
        """Minutes that the whole would take beyond the budget, rounded up."""
        planned = self.training + self.asking - self.lacking
        return math.ceil((self.all_seconds - planned) / 60)

    def minutes(self, wanted: float) -> float:
        """That it takes, where `wanted` are too few for the least: whole ones; else `wanted`."""
        return wanted if not self.lacking else math.ceil(wanted + self.lacking / 60)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What is done, of how much, about how many photos."""
        yield "training", f"{self.steps} of {self.all_steps} steps", ""
        for task, part in self.tasks.items():
            questions = f"{part.questions} of {part.all_questions} questions"
            yield task, questions, f"{part.images} of {part.all_images} photos"


class QuestionChunk(NamedTuple):
    """What is asked together."""

    questions: int
    images: int  # that they are about


class Cost(NamedTuple):
    """What was timed, in seconds."""

    step: float  # a step of training, of all trainings together
    first: Mapping[str, float]  # task -> its first chunk, of all models together
    asked: Mapping[str, float] = {}  # task -> how much of that has been spent already


def make_plan(
    seconds: float,
    cost: Cost,
    all_steps: int,
    chunks: Mapping[str, Sequence[QuestionChunk]],
    share: float,
) -> TunePlan:
    """As much as fits: steps of training, and of each task about the same share of its questions.

    What is left when all is asked goes to training.

    Args:
        seconds: that are left.
        cost: of what there is to do.
        all_steps: of the whole training.
        chunks: task -> its questions; the first chunk of each is asked in any case.
        share: of the time that training takes, at most; the rest is for questions.
    """
    counts = dict.fromkeys(chunks, 1)
    asking = sum(cost.first[task] - cost.asked.get(task, 0.0) for task in chunks)
    all_asking = asking + sum(
        _seconds(of, place, cost.first[task])
        for task, of in chunks.items()
        for place in range(1, len(of))
    )
    steps = min(all_steps, max(STEPS, int((seconds - asking) * share / cost.step)))
    more, is_all = _ask_more(seconds - steps * cost.step - asking, cost.first, chunks, counts)
    asking += more
    if is_all:
        steps = min(all_steps, max(steps, int((seconds - asking) / cost.step)))
    training = steps * cost.step
    return TunePlan(
        steps=steps,
        all_steps=all_steps,
        tasks={task: _part(chunks[task], counts[task]) for task in chunks},
        training=training,
        asking=asking,
        lacking=max(0.0, training + asking - seconds),
        all_seconds=all_steps * cost.step + all_asking,
    )


def choose_questions(
    seconds: float, first: Mapping[str, float], chunks: Mapping[str, Sequence[QuestionChunk]]
) -> dict[str, TaskPlan]:
    """As many questions of each task as fit, after the first chunk of each, which was asked.

    Args:
        seconds: that are left.
        first: task -> seconds of its first chunk.
        chunks: task -> all that may be asked.
    """
    counts = dict.fromkeys(chunks, 1)
    _ask_more(seconds, first, chunks, counts)
    return {task: _part(chunks[task], counts[task]) for task in chunks}


def asking_seconds(part: TaskPlan, of: Sequence[QuestionChunk], first: float) -> float:
    """That the questions of a task take, by those of its first chunk."""
    return first * part.questions / of[0].questions


def cut_chunks(part: TaskPlan, of: Sequence[QuestionChunk]) -> list[QuestionChunk]:
    """The chunks of a task that are in its plan."""
    ends = itertools.accumulate(chunk.images for chunk in of)
    return [chunk for chunk, end in zip(of, ends, strict=True) if end <= part.images]


def _ask_more(
    seconds: float,
    first: Mapping[str, float],
    chunks: Mapping[str, Sequence[QuestionChunk]],
    counts: dict[str, int],
) -> tuple[float, bool]:
    """Raise `counts` of chunks as far as the seconds go; those that they take, and if that is all.

    Of what is asked least comes first.
    """
    taken = 0.0
    while (task := _next(chunks, counts)) is not None:
        one = _seconds(chunks[task], counts[task], first[task])
        if taken + one > seconds:
            return taken, False
        counts[task] += 1
        taken += one
    return taken, True


def _next(chunks: Mapping[str, Sequence[QuestionChunk]], counts: Mapping[str, int]) -> str | None:
    """The task of whose questions the smallest share is asked; None: all are."""
    shares = {
        task: _part(of, counts[task]).questions / _part(of, len(of)).questions
        for task, of in chunks.items()
        if counts[task] < len(of)
    }
    return min(shares, key=shares.__getitem__, default=None)


def _seconds(chunks: Sequence[QuestionChunk], place: int, first: float) -> float:
    """Of a chunk, by its number of questions."""
    return first * chunks[place].questions / chunks[0].questions


def _part(chunks: Sequence[QuestionChunk], count: int) -> TaskPlan:
    asked, all_ = (map(sum, zip(*of, strict=True)) for of in (chunks[:count], chunks))
    return TaskPlan(*asked, *all_)
