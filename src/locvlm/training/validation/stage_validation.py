"""The looks of one stage: a sample, what measures it, and what follows from what is found."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import Trainer, TrainerCallback

from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.shown.terminal import show_line
from locvlm.training.data.dataset import TrainingData
from locvlm.training.engine import time_limit
from locvlm.training.engine.sharding import is_sharded
from locvlm.training.engine.stopping import StopOnSignal
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.recipe import Validation
from locvlm.training.validation.looks import (
    PREFIX,
    Look,
    count_since_best,
    describe_figures,
    find_best,
    read_looks,
)
from locvlm.training.validation.measure import LookStopped, Measurer
from locvlm.training.validation.sample import Sample, draw_sample
from locvlm.training.validation.schedule import Schedule, make_schedule
from locvlm.training.validation.states import best_folder, remove_other_best


@dataclass
class StageValidation:
    """What a stage needs to look at held-out images."""

    name: str  # of the stage
    folder: Path  # of the stage
    settings: Validation
    metric: str  # that says what is best
    schedule: Schedule
    measurer: Measurer
    held_out: Sample
    seen: Sample  # images that are trained on, as many
    looks: list[Look] = field(default_factory=list)  # when the stage has been trained
    seconds: float = 0.0  # that looks took in this process of a run
    taken: int = 0  # looks, likewise

    @property
    def best(self) -> Look | None:
        """The best look after a step."""
        return find_best(self.looks, self.metric)

    def seconds_to_close(self, step: int) -> float:
        """That looks take after `step` if the next one is the last, by those that were taken.

        They are the one that is due after `step`, the last one, and the one at images that were
        trained on.
        """
        due = 1 if self.schedule.is_due(step) else 0
        return (due + 2) * self.seconds / max(1, self.taken)

    def say(self, words: str) -> None:
        """On standard error, above the bar."""
        _say(self.name, words)


def prepare_validation(
    folder: Path, measurer: Measurer, held_out: TrainingData, trained: TrainingData
) -> StageValidation | None:
    """The looks of the stage whose folder this is.

    None, which is said, where the held-out images have none of the stage's questions.
    """
    recipe, stage = measurer.execution.recipe, measurer.execution.stage
    assert recipe.looks is not None
    settings, name = recipe.looks, folder.name
    schedule = make_schedule(stage, settings, asks=measurer.asks)
    seed = f"{recipe.seed}/{name}/validation"
    try:
        sample = draw_sample(held_out, stage, schedule, seed)
    except InputError:
        asked = ", ".join(stage.questions)
        _say(name, f"no look at held-out images: there are no questions of {asked} about them")
        return None
    seen = draw_sample(trained, stage, schedule, seed)
    metric: str = settings.metric
    if stage.reinforce is not None and metric == "loss":
        metric = "iou"  # answers that are given are not what it learns from
    if metric not in sample.measured:
        metric = "loss"
        _say(name, "held-out images: the loss says which state is best, for nothing else is asked")
    validation = StageValidation(name, folder, settings, metric, schedule, measurer, sample, seen)
    validation.say(_describe_schedule(schedule, sample))
    return validation


def _describe_schedule(schedule: Schedule, sample: Sample) -> str:
    steps = "every step" if schedule.every == 1 else f"every {schedule.every} steps"
    asked = f" and {schedule.questions} questions of each score" if sample.asked else ""
    return f"looks {steps} at {sample.images} held-out images{asked}"


def _say(name: str, words: str) -> None:
    if partial_state().is_main_process:
        tqdm.write(show_line(f"{name}: {words}"), file=sys.stderr)


class LookWhileTraining(TrainerCallback):
    """Looks before the first step, after every so many, and after the last; keeps the best state.

    Args:
        validation: of the stage.
        trainer: of the stage.
        stopping: a signal has asked for the end: the look that is due is taken on going on.
        save: writes the state of now into a folder, with all processes taking part.
    """

    def __init__(
        self,
        validation: StageValidation,
        trainer: Trainer,
        stopping: StopOnSignal,
        save: Callable[[Path], None],
    ):
        self.validation, self.trainer = validation, trainer
        self.stopping, self.save = stopping, save
        self.began = time_limit.now()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before the first step, or where a signal left one out."""
        if not self._is_due(state):
            return
        try:
            self._look(state, control)
        except LookStopped:  # nothing has changed since the last checkpoint
            raise KeyboardInterrupt from None

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After a step, before its checkpoint is written; also where the clock ends the stage."""
        is_last = control.should_training_stop
        if self.stopping.requested or not self._is_due(state, is_last=is_last):
            return
        try:
            self._look(state, control)
        except LookStopped:
            control.should_save = control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What the looks have taken."""
        took, whole = self.validation.seconds, time_limit.now() - self.began
        self.validation.say(f"looks took {took:.0f} s of {whole:.0f} s ({took / whole:.0%})")

    def _is_due(self, state: Any, *, is_last: bool = False) -> bool:
        step = state.global_step
        looked = [look.step for look in read_looks(state.log_history)]
        return (is_last or self.validation.schedule.is_due(step)) and step not in looked

    def _look(self, state: Any, control: Any) -> None:
        """Measure, log, keep the state if it is the best, and end the stage if none gets better."""
        validation, step, began = self.validation, state.global_step, time_limit.now()
        wrapped = self.trainer.model if is_sharded(validation.measurer.execution.recipe) else None
        figures = validation.measurer.measure(validation.held_out, wrapped)
        self._log(figures, control)
        looks = read_looks(state.log_history)
        best = find_best(looks, validation.metric)
        mark = ""
        if best is not None and best.step == step:
            self.save(best_folder(validation.folder, step))
            remove_other_best(validation.folder, step)
            mark = " (best trained state so far)"
        took = time_limit.now() - began
        validation.seconds += took
        validation.taken += 1
        if isinstance(self.trainer, LocTrainer):
            self.trainer.meter.start += took  # it is no time of training
        validation.say(f"step {step}: unseen images: {describe_figures(figures)}{mark}")
        self._end_where_none_gets_better(looks, state, control)

    def _log(self, figures: dict[str, float], control: Any) -> None:
        model: Any = self.trainer.model
        was_training, logs_step = model.training, control.should_log
        model.eval()  # by which TRL tells whose figures these are
        self.trainer.log({f"{PREFIX}{name}": value for name, value in figures.items()})
        model.train(was_training)
        control.should_log = logs_step  # a line is no other

    def _end_where_none_gets_better(self, looks: list[Look], state: Any, control: Any) -> None:
        validation, patience = self.validation, self.validation.settings.patience
        if not patience or count_since_best(looks, validation.metric) < patience:
            return
        validation.say(
            f"ends after step {state.global_step} of {state.max_steps}: none of the last "
            f"{patience} looks was better"
        )
        # None of this step: a run that is killed before its model is written comes here again
        control.should_training_stop, control.should_save = True, False
