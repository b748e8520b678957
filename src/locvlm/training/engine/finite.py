"""Numbers that are not finite end a run, and no checkpoint or model is left with them in it.

A loss is looked at before the weights follow it (on a GPU: when figures are asked for), and the
weights before a checkpoint counts or a stage is done: the last update has no loss after it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from locvlm.errors import InputError
from locvlm.training.engine.checkpoints import latest_complete
from locvlm.training.engine.json_lines import read_log

_FIGURES = ("loss", "grad_norm")
_SPAN = 3  # log entries at the end, whose mean is held against the first
_WORSE = 1.5  # times as high is no noise
_GUESSING = 0.8  # of the loss of a guess: no model that answers in words comes near


class CheckFinite(TrainerCallback):
    """Looks at the losses: on a CPU before each update, on a GPU when it is asked for figures."""

    def __init__(self) -> None:
        self.losses: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before the weights follow it. To look, a CPU would have to wait for a GPU."""
        if args.device.type == "cpu":
            self.check(args, state, state.global_step + 1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Of a trainer that keeps its losses to itself. With fp16, steps may be left out."""
        figures = {name: logs[name] for name in _FIGURES if name in (logs or {})}
        if not args.fp16:
            for name, value in figures.items():
                if not math.isfinite(value):
                    raise _diverged(args, f"the {name} of step {state.global_step} is {value}")

    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Before the checkpoint counts."""
        self.check_weights(args, state, model)

    def check(self, args: Any, state: Any, step: int | None = None) -> None:
        """Raise InputError where one since the last time is infinite or not a number.

        Args:
            args: of the trainer.
            state: of the trainer.
            step: whose losses they are; None: the last ones.
        """
        losses, self.losses = self.losses, []
        numbers = torch.stack(losses).tolist() if losses else []
        if wrong := [loss for loss in numbers if not abs(loss) < torch.inf]:
            where = f"of step {step}" if step else f"of a step up to {state.global_step}"
            raise _diverged(args, f"the loss {where} is {wrong[0]}")

    @staticmethod
    def check_weights(args: Any, state: Any, model: nn.Module) -> None:
        """Raise InputError where a weight that is trained is infinite or not a number."""
        for name, weight in model.named_parameters():
            if weight.requires_grad and not weight.isfinite().all():
                raise _diverged(args, f"after step {state.global_step} {name} is not finite")


def find_divergence(log: Path, vocabulary: int) -> str | None:
    """What is to be said of a stage that ended worse than it began, or than guessing.

    Args:
        log: the stage's JSON lines.
        vocabulary: how many tokens there are; a guess among them has the loss ln(vocabulary).
    """
    losses = [row["loss"] for row in read_log(log) if "loss" in row]
    if not losses:
        return None
    first, last = losses[0], sum(losses[-_SPAN:]) / len(losses[-_SPAN:])
    guess = math.log(vocabulary)
    if last < min(_WORSE * first, _GUESSING * guess):
        return None
    return (
        f"the loss began at {first:.3g} and ended at {last:.3g}, where guessing is {guess:.3g}: "
        "nothing useful was learned, and what was known may be lost; lower the learning rate"
    )


def _diverged(args: Any, what: str) -> InputError:
    half = ", or set precision: fp32" if args.fp16 else ""
    good = latest_complete(Path(args.output_dir))
    kept = f"; the last good checkpoint is {good.name}" if good else ""
    return InputError(f"{args.output_dir}: {what}; lower the learning rate{half}{kept}")
