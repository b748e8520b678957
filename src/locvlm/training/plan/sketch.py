"""A model without weights, prepared for a stage as the trainer would prepare it.

Its tensors have shapes and types but no memory: on the "meta" device when it is made, and fake CPU
tensors when it is traced.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForImageTextToText

from locvlm.models.parts import part_of
from locvlm.runtime.precision import DTYPES, fast_dtype
from locvlm.training.adapters import add_adapter, base_model, choose_trained, trained_part
from locvlm.training.recipe import LoraSettings, Recipe, Stage


@dataclass(frozen=True)
class ParameterCounts:
    """Parameters of a model, by part: encoder, adapter, language, lora."""

    parts: dict[str, int]
    trained: int
    frozen_bytes: int  # as they are loaded
    largest_block: int  # parameters of the largest of the repeated layers
    outside: int  # parameters outside of any repeated layer: embeddings, output layer, adapter

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parts.values())


def build_sketch(config: Any, recipe: Recipe, stage: Stage) -> nn.Module:
    """The model on the meta device; what the stage trains is float32 and requires gradients."""
    # planned for another machine, perhaps, so what this one can do does not matter
    dtype = fast_dtype() if recipe.precision == "auto" else DTYPES[recipe.precision]
    with torch.device("meta"):
        model: nn.Module = AutoModelForImageTextToText.from_config(config, dtype=dtype)
        if not recipe.trains_all:
            model = add_adapter(model, recipe.lora or LoraSettings())  # type: ignore[arg-type]
        choose_trained(model, {"adapter"} if stage.trains == "naming" else stage.parts)
    return model.train()


def to_fake_tensors(model: nn.Module) -> FakeTensorMode:
    """The mode in which `model`, whose tensors become fake CPU tensors, can be run."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        model.to_empty(device="cpu")
        base_model(model).tie_weights()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.empty_like(parameter)
    return mode


def count_parameters(model: nn.Module, *, quantized: bool = False) -> ParameterCounts:
    """The parameters of a sketch; `quantized`: frozen linear layers in 4 bits (NF4)."""
    four_bits = _quantizable(model) if quantized else set()
    parts: Counter[str] = Counter()
    blocks: Counter[str] = Counter()
    trained = frozen = 0
    for name, parameter in model.named_parameters():
        size = parameter.numel()
        parts[trained_part(name)] += size
        blocks[_block(name)] += size
        if parameter.requires_grad:
            trained += size
        else:
            frozen += round(size * (NF4 if name in four_bits else parameter.element_size()))
    outside = blocks.pop("", 0)
    return ParameterCounts(dict(parts), trained, frozen, max(blocks.values(), default=0), outside)


# Bytes per weight of NF4 with double quantization: 4 bits and 0.127 bits of constants
# (arXiv 2305.14314, section 3)
NF4 = 4.127 / 8


def _quantizable(model: nn.Module) -> set[str]:
    """Weights of frozen linear layers of encoder and language model, but not the output layer."""
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and part_of(name) != "adapter"
        and "lora_" not in name
        and not name.endswith("lm_head")
    }


def _block(name: str) -> str:
    """The repeated layer that a parameter belongs to, such as `….layers.3`; "" for none."""
    words = name.split(".")
    for place, word in enumerate(words):
        if word.isdigit() and words[place - 1] in ("layers", "layer", "blocks"):
            return ".".join(words[: place + 1])
    return ""
