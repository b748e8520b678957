"""The clock of a stage that may take only so long: it ends where the next step would be too late.

ended.json   in the stage's folder, of a stage that the clock has ended: after which of its steps

The learning rate goes as it would in the whole stage, and stops where the stage does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from transformers import TrainerCallback

from locvlm.distributed import partial_state
from locvlm.io.json_rows import write_json
from locvlm.io.own_files import read_own_json
from locvlm.training.engine.stopping import any_process

FILE = "ended.json"
now = time.monotonic


class Ended(msgspec.Struct, frozen=True):
    """A stage that had no time for all of its steps."""

    step: int  # the last one
    steps: int  # that the stage was to have


class EndInTime(TrainerCallback):
    """Ends a stage, as after its last step, so that what follows the last step is in time, too.

    A stage that is begun too late has one step. The processes of a run end after the same one.

    Args:
        ends: when all is to be done, on the clock `now`.
        looking: seconds that looks have taken so far, which are no time of steps.
        closing: of a step, the seconds that must be left after the next one.
    """

    def __init__(
        self, ends: float, looking: Callable[[], float], closing: Callable[[int], float]
    ) -> None:
        self.ends, self.looking, self.closing = ends, looking, closing
        self.ended: Ended | None = None
        self._began, self._done = now() - looking(), 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Steps are timed from now on."""
        self._began = now() - self.looking()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before the look and the checkpoint of this step."""
        self._done += 1
        if state.global_step >= state.max_steps:
            return
        a_step = (now() - self.looking() - self._began) / self._done
        late = now() + a_step + self.closing(state.global_step) > self.ends
        if any_process(late, args.device):
            self.ended = Ended(state.global_step, state.max_steps)
            control.should_training_stop = control.should_save = True


def share_time(ends: float, visits: list[int]) -> float:
    """When the first of some stages is to end, where all end so: it has a share by its visits.

    Args:
        ends: of all, on the clock `now`.
        visits: of images, in each stage.
    """
    began = now()
    return began + (ends - began) * visits[0] / sum(visits)


def write_end(folder: Path, ended: Ended | None) -> None:
    """Say in a stage's folder that the clock has ended it; None: it has not, after all."""
    if not partial_state().is_main_process:
        return
    if ended is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        write_json(folder / FILE, ended)


def read_end(folder: Path) -> Ended | None:
    """How the clock has ended a stage; None: it has not."""
    path = folder / FILE
    return read_own_json(path, Ended, "the end of a stage") if path.is_file() else None
