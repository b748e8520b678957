"""The checkpoints of a stage: only whole ones are gone on from, and none outlives its stage.

A process may be killed while it writes one, and of several processes each writes its share. So a
checkpoint counts once all have written theirs. A file `complete` in it says so, and what can read
it: every kind of sharding has a form of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from locvlm.distributed import partial_state
from locvlm.errors import InputError

COMPLETE = "complete"


class MarkComplete(TrainerCallback):
    """Marks a checkpoint when all processes have written it; they come as often as asked for now.

    Args:
        form: as `sharding.checkpoint_form` gives it.
    """

    def __init__(self, form: str):
        self.form = form

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A resumed run has read how often from the checkpoint."""
        state.save_steps = args.save_steps

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The last one."""
        partial_state().wait_for_everyone()
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            (folder / COMPLETE).write_text(self.form)


def last_checkpoint(stage: Path, form: str) -> Path | None:
    """The latest whole checkpoint of a stage; None if there is none yet.

    Raises:
        InputError: it has another form.
    """
    last = latest_complete(stage)
    if last is not None and (theirs := (last / COMPLETE).read_text()) != form:
        raise InputError(
            f"{last}: written by {theirs}, which {form} cannot read; go on as the run began, or "
            "remove the folder to begin its stage again"
        )
    return last


def latest_complete(stage: Path) -> Path | None:
    """The latest whole checkpoint of a stage, of whatever form; None if there is none yet."""
    whole = [folder for folder in _checkpoints(stage) if (folder / COMPLETE).is_file()]
    return max(whole, key=_step, default=None)


def remove_checkpoints(stage: Path) -> None:
    """All of a finished stage: they hold the optimizer's state, several times the model's size."""
    for folder in _checkpoints(stage):
        shutil.rmtree(folder)


def _checkpoints(stage: Path) -> list[Path]:
    return [folder for folder in stage.glob("checkpoint-*") if folder.is_dir()]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
