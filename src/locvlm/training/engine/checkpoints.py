"""The checkpoints of a stage: only whole ones are gone on from, and none outlives its stage.

A process may be killed while it writes one, and of several processes each writes its share. So a
checkpoint counts once all have written theirs. A file `complete` in it says so, and what can read
it: every kind of sharding has a form of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import TrainerCallback

from locvlm.distributed import partial_state
from locvlm.errors import InputError, first_line
from locvlm.io.digests import checksum_file
from locvlm.shown.terminal import say

COMPLETE = "complete"  # its first line is the form; then sizes and checksums of the files
_NOT_READ = (COMPLETE, "README.md")
_ZIPS = (".pt", ".pth", ".bin")  # what PyTorch writes
DAMAGED = "damaged-"  # before the name of a checkpoint that was put aside


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
            with explain_write_errors(folder):
                (folder / COMPLETE).write_text(describe_files(folder, self.form))


def describe_files(folder: Path, form: str) -> str:
    """What `COMPLETE` says of a checkpoint: its form, then of each file ``SIZE:CRC-32 NAME``.

    PyTorch's files, which are the largest, have checksums of their own.
    """
    lines = [form]
    for path in _files(folder):
        total = "" if path.suffix in _ZIPS else f":{checksum_file(path)}"
        lines.append(f"{path.stat().st_size}{total} {path.relative_to(folder).as_posix()}")
    return "\n".join(lines)


@contextmanager
def explain_write_errors(folder: Path, after: str = "") -> Iterator[None]:
    """While a checkpoint or model is written, say in one line that it cannot be, and remove it.

    Args:
        folder: what is written, in the folder of its stage.
        after: what the same command does then; "": what it does within a stage.

    Raises:
        InputError: the disk is full, or cannot be written.
    """
    (folder / COMPLETE).unlink(missing_ok=True)  # of one that is written again
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _TORCH_WRITER.search(str(error)):
            raise
        if isinstance(error, shutil.Error) and error.args:  # of many files: the last one's
            reason = first_line(error.args[0][-1][-1])
        else:
            reason = getattr(error, "strerror", None) or first_line(error)
        stage = folder.parent
        free = f"{shutil.disk_usage(stage).free / 1e9:.2f} GB are free"
        if partial_state().is_main_process:  # half of it is of no use, and takes the room
            shutil.rmtree(folder, ignore_errors=True)
        good = latest_complete(stage)
        after = after or (f"goes on from {good.name}" if good else "begins this stage again")
        raise InputError(
            f"{folder}: cannot be written ({reason}; {free} there); make room and give the same "
            f"command again, which {after}"
        ) from error


def last_checkpoint(stage: Path, form: str) -> Path | None:
    """The latest checkpoint of a stage that can be gone on from; None if there is none yet.

    One that is damaged is put aside with a warning where there is one before it.

    Raises:
        InputError: it has another form, or it is damaged and there is none before it.
    """
    while (last := latest_complete(stage)) is not None:
        theirs = (last / COMPLETE).read_text(errors="replace").partition("\n")[0]
        if not (damage := find_damage(last)):
            if theirs == form:
                return last
            raise InputError(
                f"{last}: written by {theirs}, which {form} cannot read; go on as the run began, "
                "or remove the folder to begin its stage again"
            )
        before = [one for one in _complete(stage) if one != last]
        if not before:
            raise InputError(
                f"{last}: is damaged ({damage}), and there is no earlier checkpoint; remove the "
                "folder to begin its stage again"
            )
        aside = last.with_name(f"{DAMAGED}{last.name}")
        say(
            f"warning: {last} is damaged ({damage}); it is now {aside.name}, and the stage goes "
            f"on from {max(before, key=_step).name}",
            file=sys.stderr,
        )
        shutil.rmtree(aside, ignore_errors=True)
        last.rename(aside)
    return None


def find_damage(checkpoint: Path) -> str:
    """What is wrong with a checkpoint's files, in words; empty where nothing is.

    Looked at are the sizes and checksums that were written down, what holds weights, and the state
    of the run.
    """
    for line in (checkpoint / COMPLETE).read_text(errors="replace").splitlines()[1:]:
        facts, _, name = line.partition(" ")
        size, _, total = facts.partition(":")  # older ones have no sum
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if str(path.stat().st_size) != size:
            return f"{name} has {path.stat().st_size:,} bytes of {int(size):,}"
        if total and _sum_or_none(path) != total:
            return f"{name} has a wrong checksum"
    for path in _files(checkpoint):
        try:
            whole = _CHECKS.get(path.suffix, lambda _: True)(path)
        except (OSError, ValueError, SafetensorError, zipfile.BadZipFile, zlib.error) as error:
            return f"{path.name}: {first_line(error)}"
        if not whole:
            return f"{path.name} has a wrong checksum"
    return ""


def _sum_or_none(path: Path) -> str | None:
    try:
        return checksum_file(path)
    except OSError:
        return None


def _read_header(path: Path) -> bool:
    with safe_open(path, "pt"):
        return True


def _test_zip(path: Path) -> bool:
    with zipfile.ZipFile(path) as file:
        return file.testzip() is None


def _parse_json(path: Path) -> bool:
    json.loads(path.read_bytes())
    return True


# Of what PyTorch, safetensors and transformers write
_CHECKS = {
    ".safetensors": _read_header,
    **dict.fromkeys(_ZIPS, _test_zip),
    ".json": _parse_json,
}
# What PyTorch says where a file cannot be written, in an error without a kind of its own
_TORCH_WRITER = re.compile("PytorchStreamWriter|inline_container|No space|iostream")


def latest_complete(stage: Path) -> Path | None:
    """The latest whole checkpoint of a stage, of whatever form; None if there is none yet."""
    return max(_complete(stage), key=_step, default=None)


def remove_checkpoints(stage: Path) -> None:
    """All of a finished stage: they hold the optimizer's state, several times the model's size."""
    for folder in (*_checkpoints(stage), *stage.glob(f"{DAMAGED}*")):
        shutil.rmtree(folder)


def _complete(stage: Path) -> list[Path]:
    return [folder for folder in _checkpoints(stage) if (folder / COMPLETE).is_file()]


def _files(folder: Path) -> list[Path]:
    """All below a checkpoint that are read, but the one that says that they are whole."""
    paths = (path for path in folder.rglob("*") if path.name not in _NOT_READ)
    return sorted(path for path in paths if path.is_file())


def _checkpoints(stage: Path) -> list[Path]:
    return [folder for folder in stage.glob("checkpoint-*") if folder.is_dir()]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
