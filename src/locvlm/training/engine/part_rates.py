"""The optimizer of a stage, whose parts may have rates of their own."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from transformers import Trainer

from locvlm.training.adapters import trained_part
from locvlm.training.recipe import Stage


class PartRatesTrainer(Trainer):
    """The optimizer of a stage, whose parts may have rates of their own."""

    stage: Stage
    optimizer: Any

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """As `Trainer`'s, with a rate per part."""
        if self.optimizer is None:
            model = self.model if model is None else model
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = kind(self.parameter_groups(model), **settings)
        return self.optimizer

    def parameter_groups(self, model: Any) -> list[dict[str, Any]]:
        """Parameters of one rate and decay each; biases and norms do not decay."""
        decaying = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[float, float], list[Any]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                rate = self.stage.rates.get(trained_part(name), self.args.learning_rate)
                decay = self.args.weight_decay if name in decaying else 0.0
                groups[rate, decay].append(parameter)
        return [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]
