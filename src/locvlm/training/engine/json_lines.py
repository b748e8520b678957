"""The log of a stage: a file with one JSON object per line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback


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


def _step(line: str) -> float:
    """That of a line; after all others that of one which a killed run left unfinished."""
    try:
        return float(json.loads(line)["step"])
    except ValueError:
        return float("inf")
