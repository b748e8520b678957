"""What a stage leaves: the better state as its model, the other beside it, and what was found.

validation.json   in the stage's folder: steps, figures before, of the kept and the last state,
                  and the same on images that were trained on
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from locvlm.distributed import partial_state
from locvlm.io.json_rows import write_json
from locvlm.training.engine.sharding import is_sharded
from locvlm.training.validation.looks import NAMES, Look, describe_figures, is_better
from locvlm.training.validation.stage_validation import StageValidation
from locvlm.training.validation.states import (
    BEST,
    LAST,
    MODEL,
    best_folder,
    write_state,
)

FILE = "validation.json"


class Outcome(msgspec.Struct, frozen=True):
    """Of a stage; figures are those of the log."""

    metric: str  # by which the best was chosen
    step: int  # of the state that is the stage's model
    best_step: int
    last_step: int
    steps: int  # that the stage was to have
    images: int  # of a look, for the loss
    questions: dict[str, int]  # of a look: asked where, and whether, something is
    start: dict[str, float]  # before the first step
    unseen: dict[str, float]  # of the model, on held-out images
    last: dict[str, float]  # of the last state, likewise
    seen: dict[str, float]  # of the model, on images that were trained on; empty: not measured

    @property
    def start_was_better(self) -> bool:
        """Whether training has made it worse, on held-out images and by the metric."""
        if self.metric not in self.start:
            return False
        start, model = Look(0, self.start), Look(self.step, self.unseen)
        return is_better(start, model, self.metric)


def settle(
    validation: StageValidation,
    save: Callable[[Path], None],
    load: Callable[[Path], None],
) -> None:
    """Make the stage's model of its last state or of its best one, and say what was found.

    Args:
        validation: of a stage that has been trained.
        save: writes the last state, which the model is in, into a folder.
        load: takes a state over into the model.
    """
    folder, best = validation.folder, validation.best
    last = validation.looks[-1]
    own = best_folder(folder, best.step) if best else None
    differs = own is not None and best is not last and own.is_dir()
    kept = best if differs and validation.settings.keep == "best" and best else last
    scratch = folder / f"{MODEL}.settled"
    if differs and own and kept is best:
        write_state(folder / LAST, save)
        _copy(own, scratch)
        if not is_sharded(validation.measurer.execution.recipe):
            load(scratch)
    else:
        write_state(scratch, save)
        if differs and own:
            _copy(own, folder / BEST)
    outcome = _describe(validation, kept, last)
    if partial_state().is_main_process:
        write_json(folder / FILE, outcome)
        os.replace(scratch, folder / MODEL)
    partial_state().wait_for_everyone()
    _report(validation, outcome)


def _copy(state: Path, folder: Path) -> None:
    def copy(scratch: Path) -> None:
        shutil.copytree(state, scratch)

    write_state(folder, copy)


def _describe(validation: StageValidation, kept: Look, last: Look) -> Outcome:
    """Measures the images that were trained on, too."""
    measurer, sample = validation.measurer, validation.held_out
    whole = not is_sharded(measurer.execution.recipe)
    best = validation.best or last
    present = sum(len(one.present) + len(one.absent) for one in sample.asked)
    objects = sum(len(one.objects) for one in sample.asked)
    first = validation.looks[0]
    return Outcome(
        metric=validation.metric,
        step=kept.step,
        best_step=best.step,
        last_step=last.step,
        steps=validation.schedule.total,
        images=sample.images,
        questions={"where": objects, "whether": present},
        start=dict(first.figures) if first.step == 0 else {},
        unseen=dict(kept.figures),
        last=dict(last.figures),
        seen=measurer.measure(validation.seen) if whole else {},
    )


def _report(validation: StageValidation, outcome: Outcome) -> None:
    """Which state is the model, and how it does on what it has seen and what it has not."""
    name = NAMES[outcome.metric]
    if outcome.step == outcome.best_step:
        why = f"the best of its looks (by {name})"
    else:
        why = f"the last; the best (by {name}) was step {outcome.best_step}"
    where = ""
    if outcome.best_step != outcome.last_step:
        other = LAST if outcome.step == outcome.best_step else BEST
        where = f"; the {other} state is in {validation.folder / other}"
    validation.say(f"the model is that of step {outcome.step} of {outcome.last_step}, {why}{where}")
    counts = f"{outcome.images} images, {sum(outcome.questions.values())} questions"
    for words, figures in (
        ("before training, unseen images", outcome.start),
        ("the model, unseen images", outcome.unseen),
        ("the model, images that it was trained on", outcome.seen),
    ):
        if figures:
            validation.say(f"{words} ({counts}): {describe_figures(figures)}")
    if outcome.start_was_better:
        validation.say("warning: on unseen images the start was better than what was trained")
