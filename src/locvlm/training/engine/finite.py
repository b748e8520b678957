"""A loss that is no number ends a run; no checkpoint is written of weights that may follow it."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback

from locvlm.errors import InputError


class CheckFinite(TrainerCallback):
    """Looks at the losses: on a CPU before each update, on a GPU when it is asked for figures."""

    def __init__(self) -> None:
        self.losses: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before the weights follow it. To look, a CPU would have to wait for a GPU."""
        if args.device.type == "cpu":
            self.check(args, state, state.global_step + 1)

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
            half = ", or set precision: fp32" if args.fp16 else ""
            where = f"of step {step}" if step else f"of a step up to {state.global_step}"
            raise InputError(
                f"{args.output_dir}: the loss {where} is {wrong[0]}; lower the learning rate{half}"
            )
