"""A loss that is no number ends a run before the weights follow it."""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback

from locvlm.errors import InputError


class Finite(TrainerCallback):
    """Looks at the losses of a step once, so that a GPU is not waited for at every pass."""

    def __init__(self) -> None:
        self.losses: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Raise InputError where one is infinite or not a number."""
        losses, self.losses = self.losses, []
        wrong = [loss for loss in torch.stack(losses).tolist() if not abs(loss) < torch.inf]
        if wrong:
            half = ", or set precision: fp32" if args.fp16 else ""
            raise InputError(
                f"{args.output_dir}: the loss of step {state.global_step + 1} is {wrong[0]}; "
                f"lower the learning rate{half}"
            )
