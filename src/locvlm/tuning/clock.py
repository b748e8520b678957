"""What is left of a tuning's minutes once it is planned, and what that has to do for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from locvlm.tuning import timing
from locvlm.tuning.budget import (
    STEPS,
    Cost,
    QuestionChunk,
    TaskPlan,
    TunePlan,
    asking_seconds,
    choose_questions,
    cut_chunks,
    make_plan,
)
from locvlm.tuning.state import TuneState
from locvlm.tuning.step_timer import StepTimer

ENDING = 10.0  # seconds that tables and pages take
SLACK = 1.1  # times the seconds that are left: answers that take so much longer are all asked


@dataclass(frozen=True)
class TuneClock:
    """Of one tuning; all it tells is in seconds."""

    state: TuneState
    timer: StepTimer
    chunks: Mapping[str, Sequence[QuestionChunk]]  # task -> its questions, as asked together

    @property
    def left(self) -> float:
        """Until the tables and pages, by the minutes, or by what the least takes."""
        lacking = self.state.plan.lacking if self.state.plan else 0.0
        return self.state.options.minutes * 60 + lacking - self.timer.seconds - ENDING

    @property
    def first(self) -> dict[str, float]:
        """Task -> of its first chunk, which was timed."""
        return {task: self.state.times[timing.task_key(task)] for task in self.chunks}

    def plan(self, step: float, all_steps: int) -> TunePlan:
        """What fits, when all is timed.

        Args:
            step: of a training.
            all_steps: that are worth it.
        """
        times, seeds, first = self.state.times, self.state.options.seeds, self.first
        both = {task: each * (1 + seeds) for task, each in first.items()}
        loading = times[timing.BESIDES] * (1 + seeds) + times[timing.LOADING] * seeds
        cost = Cost(step=step * seeds, first=both, asked=first)
        share = self.state.options.share
        return make_plan(self.left - loading, cost, all_steps, self.chunks, share)

    def before(self, plan: TunePlan) -> float:
        """To ask the start what it has not been asked."""
        asking = sum(self._rest(task, part) for task, part in plan.tasks.items())
        return asking + self.state.times[timing.BESIDES]

    def after(self, plan: TunePlan) -> float:
        """To ask each tuned model, by what the start took; at least as long as was planned."""
        asking = sum(
            self.first[task]
            + max(self._rest(task, part), self.state.times.get(timing.rest_key(task), 0.0))
            for task, part in plan.tasks.items()
        )
        return asking + self.state.times[timing.BESIDES]

    def settle(self, plan: TunePlan, step: float) -> TunePlan:
        """The plan with the steps for which there is time now; the questions are asked by now."""
        seeds = self.state.options.seeds
        seconds = self.left / seeds - self.after(plan) - self.state.times[timing.LOADING]
        steps = min(plan.all_steps, max(min(plan.steps, STEPS), int(seconds / step)))
        return replace(plan, steps=steps, training=steps * step * seeds)

    def training(self, plan: TunePlan, number: int) -> float:
        """For the training with this number, so that all tuned models can be asked."""
        seeds = self.state.options.seeds
        return max(1.0, (self.left - seeds * self.after(plan)) / (seeds - number))

    def choose_after(self, plan: TunePlan, first: Mapping[str, float]) -> dict[str, TaskPlan]:
        """The questions of the plan that tuned models have time for, by their first answers.

        Args:
            plan: what the start was asked.
            first: task -> what the first chunk took a tuned model.
        """
        seeds = self.state.options.seeds
        left = (self.left - (seeds - 1) * sum(first.values())) / seeds
        chunks = {task: cut_chunks(part, self.chunks[task]) for task, part in plan.tasks.items()}
        return choose_questions(SLACK * left, first, chunks)

    def _rest(self, task: str, part: TaskPlan) -> float:
        return asking_seconds(part, self.chunks[task], self.first[task]) - self.first[task]
