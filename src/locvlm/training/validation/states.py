"""The states of a stage in its folder: the best so far, the last, and which of them is its model.

    best-40    while the stage trains: as it was after step 40, the best look so far
    model      when it is done: the best, or the last (`keep`)
    last, best beside it: the other one, where they differ

Each is there complete or not at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from locvlm.distributed import partial_state
from locvlm.training.engine.checkpoints import explain_write_errors, remove_checkpoints

MODEL, LAST, BEST = "model", "last", "best"
NEW = ".new"  # after the name of one that is being written


def best_folder(stage: Path, step: int) -> Path:
    """Of the state after `step`."""
    return stage / f"{BEST}-{step}"


def write_state(folder: Path, save: Callable[[Path], None]) -> None:
    """A state, by the main process alone; all wait for it. Raises InputError: no room."""
    if partial_state().is_main_process:
        scratch = folder.with_name(folder.name + NEW)
        shutil.rmtree(scratch, ignore_errors=True)
        with explain_write_errors(scratch):
            save(scratch)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(scratch, folder)
    partial_state().wait_for_everyone()


def remove_other_best(stage: Path, step: int | None) -> None:
    """All states of `best-…` but that after `step`."""
    if partial_state().is_main_process:
        for folder in stage.glob(f"{BEST}-*"):
            if step is None or folder != best_folder(stage, step):
                shutil.rmtree(folder)
    partial_state().wait_for_everyone()


def remove_working_states(stage: Path) -> None:
    """The best state so far and the checkpoints: a stage that is done needs neither."""
    remove_other_best(stage, None)
    if partial_state().is_main_process:
        remove_checkpoints(stage)
    partial_state().wait_for_everyone()
