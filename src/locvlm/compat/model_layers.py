"""Which modules of a model are its layers, and how its language model computes attention.

transformers 5.23, `PreTrainedModel._no_split_modules` and `PreTrainedConfig._attn_implementation`:
neither can be read by a public name, though the second can be set by one
(`set_attn_implementation`). Needless once they can.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import PreTrainedModel


def layer_classes(model: nn.Module) -> list[str]:
    """The names of the layers' classes: those that the model's author would not split."""
    named = set(getattr(model, "_no_split_modules", None) or ())
    return sorted(named & {type(module).__name__ for module in model.modules()})


def text_attention(model: PreTrainedModel) -> str:
    """The function by which the language model of `model` computes attention."""
    name: str = model.config.get_text_config()._attn_implementation
    return name


@contextmanager
def use_text_attention(model: PreTrainedModel, name: str) -> Iterator[None]:
    """While it lasts, the language model of `model` computes attention by the function `name`."""
    before = model.config.text_config._attn_implementation
    model.set_attn_implementation({"text_config": name})
    try:
        yield
    finally:
        model.set_attn_implementation({"text_config": before})
