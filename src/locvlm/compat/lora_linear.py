"""Layers with low-rank updates whose product is computed in another way than PEFT's.

peft 0.21, `tuners.lora.layer.Linear`: its `forward` always makes two passes over the activations
and cannot be replaced by a setting. So the class of its layers is exchanged while a stage is
trained, and what they hold (`lora_A`, `scaling`, …) is read here. Needless once PEFT has a
public place for another product (its `lora_variant` is one for additions alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora.layer import Linear, LoraLayer
from torch import nn


class LoraLinear(Linear):
    """A layer of PEFT with one update, which `multiply` applies.

    A class, not a function of each layer: so all layers of a kind are compiled as one.
    """

    def multiply(
        self, x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, by: float
    ) -> torch.Tensor:
        """(…, out) x · (W + by · B·A)ᵀ.

        Args:
            x: (…, in), in the dtype of the product.
            weight: (out, in) W.
            a: (rank, in); b: (out, rank).
            by: alpha / rank.
        """
        raise NotImplementedError

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """As PEFT's."""
        base: Any = self.base_layer
        mixed = torch.is_autocast_enabled(x.device.type)
        dtype = torch.get_autocast_dtype(x.device.type) if mixed else base.weight.dtype
        (name,) = self.active_adapters
        a, b = self.lora_A[name].weight, self.lora_B[name].weight
        out = self.multiply(x.to(dtype), base.weight, a, b, self.scaling[name])
        return out if base.bias is None else out + base.bias.to(out.dtype)


def is_plain(module: Any) -> bool:
    """Whether a layer is one of PEFT with one update, not merged, without dropout or variants."""
    if type(module) is not Linear or type(module.base_layer) is not nn.Linear:
        return False
    [*active] = module.active_adapters
    if len(active) != 1 or active[0] not in module.lora_A or module.merged:
        return False
    (name,) = active
    plain = not module.lora_variant and not module.fan_in_fan_out
    bare = isinstance(module.lora_dropout[name], nn.Identity)
    return plain and bare and module.lora_B[name].bias is None


def count_other_layers(model: nn.Module) -> int:
    """Layers with low-rank updates that are not plain: 4-bit weights, dropout, DoRA."""
    layers = (module for module in model.modules() if isinstance(module, LoraLayer))
    return sum(not is_plain(module) for module in layers)


@contextmanager
def exchange_class(model: nn.Module, other: type[LoraLinear]) -> Iterator[int]:
    """While it lasts, the plain layers are of another class; gives their number.

    What is not plain keeps PEFT's own forward.
    """
    layers = [module for module in model.modules() if is_plain(module)]
    for module in layers:
        module.__class__ = other
    try:
        yield len(layers)
    finally:
        for module in layers:
            module.__class__ = Linear
