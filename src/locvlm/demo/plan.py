"""How much of the demo fits into its minutes: chosen once, from what was timed on this machine.

Plan and times are state in the demo's folder: one that was stopped goes on as it was planned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.io.json_rows import write_json

STEPS = 4  # of tuning, at least; fewer show no fall of the loss
TUNING = 0.3  # share of the time, at most: the rest is for questions
STATE_FILE = "demo.json"  # in the demo's folder


class TaskPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of a task is asked."""

    questions: int
    pictures: int  # a sample of them
    all_questions: int
    all_pictures: int


class DemoPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done, and how long that should take."""

    steps: int
    all_steps: int
    tasks: dict[str, TaskPlan]
    tuning: float  # seconds
    asking: float  # seconds, of all models together
    lacking: float  # seconds that even the least takes beyond the budget
    all_seconds: float  # what tuning and asking take if nothing is left out

    @property
    def asked(self) -> int:
        """Questions to each model."""
        return sum(part.questions for part in self.tasks.values())

    @property
    def askable(self) -> int:
        """As `asked`, if nothing was left out."""
        return sum(part.all_questions for part in self.tasks.values())

    @property
    def more(self) -> int:
        """Minutes that the whole would take beyond the budget, rounded up."""
        planned = self.tuning + self.asking - self.lacking
        return math.ceil((self.all_seconds - planned) / 60)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What is done, of how much, about how many photos."""
        yield "tuning", f"{self.steps} of {self.all_steps} steps", ""
        for task, part in self.tasks.items():
            questions = f"{part.questions} of {part.all_questions} questions"
            yield task, questions, f"{part.pictures} of {part.all_pictures} photos"


class DemoState(msgspec.Struct, forbid_unknown_fields=True):
    """What a demo that was stopped must know to go on."""

    minutes: float
    times: dict[str, float] = {}  # seconds: what was timed -> how long it took
    plan: DemoPlan | None = None

    def write(self, out: Path) -> None:
        """Into the demo's folder."""
        write_json(out / STATE_FILE, self)


def open_state(out: Path, minutes: float | None, default: float) -> DemoState:
    """What is known of the demo in `out`; of a new one, its minutes alone.

    Args:
        out: the demo's folder, which is there.
        minutes: as asked for; None: as the demo in `out` was, or `default`.
        default: see `minutes`.

    Raises:
        InputError: `out` holds a demo of other minutes, or what no demo of this version has made.
    """
    path = out / STATE_FILE
    if path.exists():
        state = run_files.read_json(path, DemoState)
        if minutes is not None and minutes != state.minutes:
            raise InputError(
                f"{out}: holds a demo of {state.minutes:g} minutes, which goes on without "
                "--minutes; for another one choose another --out"
            )
        return state
    if any(out.iterdir()):
        raise InputError(f"{out}: holds other files; choose another --out, or remove them")
    return DemoState(default if minutes is None else minutes)


class QuestionChunk(NamedTuple):
    """What is asked together."""

    questions: int
    pictures: int  # that they are about


def make_plan(
    seconds: float,
    step: float,
    all_steps: int,
    chunks: Mapping[str, Sequence[QuestionChunk]],
    first: Mapping[str, float],
) -> DemoPlan:
    """As much as fits: steps of tuning, and of each task about the same share of its questions.

    Args:
        seconds: that are left.
        step: seconds of a step of tuning.
        all_steps: of the whole tuning.
        chunks: task -> its questions; the first chunk has been asked already, to time it.
        first: task -> seconds that its first chunk took, of all models together.
    """
    counts = dict.fromkeys(chunks, 1)
    all_asking = sum(
        _seconds(of, place, first[task])
        for task, of in chunks.items()
        for place in range(1, len(of))
    )
    steps = min(all_steps, max(STEPS, int(seconds * TUNING / step)))
    left = seconds - steps * step
    asking = 0.0
    while (task := _next(chunks, counts)) is not None:
        cost = _seconds(chunks[task], counts[task], first[task])
        if asking + cost > left:
            break
        counts[task] += 1
        asking += cost
    else:  # all is asked
        steps = min(all_steps, max(steps, int((seconds - asking) / step)))
    return DemoPlan(
        steps=steps,
        all_steps=all_steps,
        tasks={task: _part(chunks[task], counts[task]) for task in chunks},
        tuning=steps * step,
        asking=asking,
        lacking=max(0.0, steps * step + asking - seconds),
        all_seconds=all_steps * step + all_asking,
    )


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
