"""The bar of a stage: it moves within a step too, and a resumed run's speed is that of today."""

from __future__ import annotations

import sys
import threading
from typing import Any

from tqdm.auto import tqdm
from transformers import ProgressCallback


class StageProgressBar(ProgressCallback):
    """Steps, the passes of the step at hand, and the last loss; figures are in the JSONL log."""

    def __init__(self) -> None:
        super().__init__()
        self._postfix: dict[str, str] = {}
        self._passes = 0
        self._over = threading.Event()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A bar that begins where the run goes on: steps of another day took none of this time."""
        self.current_step = state.global_step
        if state.is_world_process_zero:
            self.training_bar = tqdm(
                total=state.max_steps, initial=state.global_step, unit="step", dynamic_ncols=True
            )
            if sys.stderr.isatty():  # in a file, each would be another line
                threading.Thread(target=self._tick, args=(self.training_bar,), daemon=True).start()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No pass is done."""
        self._passes = 0

    def on_substep_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A pass is done; the last one of a step ends the step."""
        self._passes += 1
        self._show(**{"pass": f"{self._passes}/{args.gradient_accumulation_steps}"})

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """The last losses."""
        for name, words in (("loss", "loss"), ("eval_loss", "unseen")):
            if name in logs:
                self._show(**{words: f"{logs[name]:.3f}"})

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The end of its line."""
        self.close()

    def close(self) -> None:
        """End its line, also where an error has ended the training."""
        self._over.set()
        if self.training_bar is not None:
            self.training_bar.close()
            self.training_bar = None

    def _show(self, **values: str) -> None:
        if self.training_bar is not None:
            self._postfix |= values
            self.training_bar.set_postfix(self._postfix)

    def _tick(self, bar: Any) -> None:
        """The time goes on in a long step as well."""
        while not self._over.wait(1):
            bar.refresh()
