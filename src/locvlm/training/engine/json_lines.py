"""The log of a stage: a file with one JSON object per line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from transformers import TrainerCallback

from locvlm.errors import InputError
from locvlm.io.own_files import convert_own
from locvlm.io.reading import read_bytes


class _LogRow(msgspec.Struct):
    """Of a line what is read again."""

    step: float = 0.0
    loss: float = 0.0
    train_runtime: float = 0.0


class JsonLines(TrainerCallback):
    """Appends every log entry to a file, one JSON object per line.

    A resumed run goes on from its last checkpoint: lines after it are taken back first.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Cut what the resumed run will write again."""
        if state.is_world_process_zero and self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            done = state.global_step or -1  # from the beginning, what was before it is new, too
            lines = [line for line in lines if _step(line) <= done]
            self.path.write_text("".join(lines))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One line."""
        if state.is_world_process_zero:
            with self.path.open("a") as file:
                file.write(json.dumps({"step": state.global_step, **logs}) + "\n")


def read_log(log: Path) -> list[dict[str, Any]]:
    """Its lines: steps and figures. Raises InputError where one is something else."""
    places = enumerate(read_bytes(log).splitlines(), 1)
    return [_read_line(line, f"{log}: line {number}") for number, line in places]


def _read_line(line: bytes, where: str) -> dict[str, Any]:
    try:  # not by msgspec: a loss may be NaN
        row: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not a row of a log of training: {error}") from None
    convert_own(row, _LogRow, where, "a row of a log of training")
    return row


def _step(line: str) -> float:
    """That of a line; after all others that of one which a killed run left unfinished."""
    try:
        return float(_read_line(line.encode(), "").get("step", "inf"))
    except InputError:
        return float("inf")
