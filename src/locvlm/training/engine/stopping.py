"""Ctrl-C, or SIGTERM from a scheduler, ends a run after the step at hand, with a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import TrainerCallback

from locvlm.distributed import partial_state
from locvlm.runtime import interrupts

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal(TrainerCallback):
    """Stops all processes at the same step, whichever of them a signal has reached first."""

    def __init__(self) -> None:
        self.requested = False
        self._signals = 0  # signals, by the thread that listens
        self._step = 0  # at hand

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The step at hand."""
        self._step = state.global_step + 1

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A checkpoint, and the end, if that was asked for."""
        if any_process(self.requested, args.device):
            self.requested = control.should_save = control.should_training_stop = True

    @contextmanager
    def listen(self) -> Iterator[None]:
        """While it lasts, signals ask for the end.

        Raises:
            KeyboardInterrupt: at its end, if one came.
        """
        if threading.current_thread() is not threading.main_thread():
            yield  # no signals there
            return
        before = {number: signal.signal(number, self._ask) for number in SIGNALS}
        try:
            with interrupts.answer_signals(self._answer):
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self.requested:
            raise KeyboardInterrupt

    def _ask(self, number: int, _: Any) -> None:
        # torchrun passes on what the terminal has sent to all already: a second one means nothing
        if self.requested and partial_state().num_processes == 1:
            raise KeyboardInterrupt
        self.requested = True

    def _answer(self, number: signal.Signals) -> None:
        """In the listening thread: the main one may be in the middle of a step for minutes."""
        if number not in SIGNALS:
            return
        self._signals += 1
        if self._signals > 1 and partial_state().num_processes == 1:
            interrupts.end()
        if self._signals == 1 and partial_state().is_main_process:
            step = f"step {self._step}" if self._step else "the first step"
            again = "; Ctrl-C again ends it now" if partial_state().num_processes == 1 else ""
            interrupts.print_message(f"stopping after {step}, with a checkpoint{again}")


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether it is set in any process."""
    if partial_state().num_processes == 1:
        return flag
    flags = torch.tensor([flag], dtype=torch.int32, device=device)
    torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX)
    return bool(flags.item())
