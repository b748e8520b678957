"""What a tuning's folder remembers, so that the same line goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.io.folder_lock import LOCK
from locvlm.io.json_rows import write_json
from locvlm.io.outputs import check_output_folder
from locvlm.tuning import folders
from locvlm.tuning.budget import TaskPlan, TunePlan
from locvlm.tuning.options import TuneOptions

STATE_FILE = folders.STATE


class TuneState(msgspec.Struct, forbid_unknown_fields=True):
    """The state of a tuning."""

    options: TuneOptions
    times: dict[str, float] = {}  # seconds: what was timed -> how long it took
    plan: TunePlan | None = None
    spent: float = 0.0  # seconds, up to when this was written
    trained: int = 0  # trainings that are done
    settled: bool = False  # the plan was made anew once the start was asked
    # Stages that the clock has ended, by their folders: after which step, of how many
    ended: dict[str, tuple[int, int]] = {}
    after: dict[str, TaskPlan] = {}  # what tuned models are asked

    def write(self, out: Path) -> None:
        """Into the tuning's folder."""
        write_json(out / STATE_FILE, self)


def open_state(out: Path, options: TuneOptions) -> TuneState:
    """What is known of the tuning in `out`; of a new one, its options alone.

    Args:
        out: the tuning's folder; nothing is written.
        options: as asked for.

    Raises:
        InputError: `out` holds a tuning with other options, or what no tuning has made; or it is,
            holds or leads to what is read.
    """
    path = out / STATE_FILE
    check_output_folder(out, options.reads(), is_own=lambda _: path.is_file(), leftovers={LOCK})
    if not path.exists():
        return TuneState(options)
    state = run_files.read_json(path, TuneState)
    if state.plan is None and options == replace(state.options, minutes=options.minutes):
        return replace(state, options=options)  # it was refused for too few
    if changed := state.options.differences(options):
        raise InputError(
            f"{out}: holds a tuning with {'; '.join(changed)}; go on with its own line, or choose "
            "another --out"
        )
    return state


def read_minutes(out: Path) -> float | None:
    """The minutes that the tuning in `out` was given; None: there is none."""
    path = out / STATE_FILE
    return run_files.read_json(path, TuneState).options.minutes if path.exists() else None
