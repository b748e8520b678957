"""Layers that are compiled, one by one: the code of one serves all, so it is made once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from locvlm.compat.model_layers import layer_classes

SHAPES = 20  # that are compiled at most, of each kind of layer, in a stage
STAGES = 10  # of a run, whose shapes count together


@contextmanager
def compile_layers(model: nn.Module, *, static: bool, backend: str = "inductor") -> Iterator[int]:
    """While it lasts, the layers of the language model are compiled; gives their number.

    Of a frozen encoder, whose layers transformers looks into for their outputs, none.

    Args:
        model: maybe wrapped by PEFT; layers are what its author would not split.
        static: rows come in few lengths, each of which is compiled for itself.
        backend: of `torch.compile`.
    """
    names = set(layer_classes(model))
    language = model.get_decoder()  # type: ignore[operator]
    layers = [module for module in language.modules() if type(module).__name__ in names]
    before = torch._dynamo.config.recompile_limit
    torch._dynamo.config.recompile_limit = max(before, STAGES * SHAPES)
    for layer in layers:
        layer.compile(dynamic=False if static else None, backend=backend)
    try:
        yield len(layers)
    finally:
        torch._dynamo.config.recompile_limit = before
        for layer in layers:
            layer._compiled_call_impl = None
