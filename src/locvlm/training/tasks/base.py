"""What every task of a stage offers to the trainer, and what its figures may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch.utils.data import Dataset

from locvlm.training.auxiliary.readout import Readout

# Figures that are added up, not averaged
SUMMED_FIGURES = frozenset({"truncated_answers", "readout_left_out"})
Figures = dict[str, torch.Tensor | float]


class StageTask(Protocol):
    """A stage's data, and its loss."""

    readout: Readout | None  # trained beside the model

    @property
    def data(self) -> Dataset[Any]: ...

    def batch(self, items: list[Any]) -> Any:
        """Items of `data` as one batch; it has `.to(device)`."""

    def loss(self, model: Any, batch: Any) -> tuple[torch.Tensor, Figures]:
        """Loss of a batch, and figures for the log; NaN: a share of nothing."""


class LazyDataset(Dataset[Any]):
    """`count` items, each made when it is asked for."""

    def __init__(self, count: int, make: Callable[[int], Any]):
        self.count, self.make = count, make

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Any:
        return self.make(number)
