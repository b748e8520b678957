"""Dataclasses whose tensors are moved together, as a trainer moves a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

import torch


class TensorRecord:
    """Base of dataclasses of tensors, other such records, and dicts and tuples of them.

    What else they hold stays the same object.
    """

    def to(self, device: torch.device | str, *, non_blocking: bool = False, **_: Any) -> Self:
        """The same on another device."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same in memory from which a GPU can copy by itself."""
        return self._map(lambda value: value.pin_memory())

    def _map(self, change: Callable[[Any], Any]) -> Self:
        assert is_dataclass(self)
        return replace(
            self, **{f.name: _map_value(getattr(self, f.name), change) for f in fields(self)}
        )


def _map_value(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, torch.Tensor | TensorRecord):
        return change(value)
    if isinstance(value, dict):
        return {name: _map_value(part, change) for name, part in value.items()}
    if isinstance(value, tuple) and value and isinstance(value[0], torch.Tensor | TensorRecord):
        return tuple(map(change, value))
    return value  # also a number per question: nothing of a step is done for each of them
