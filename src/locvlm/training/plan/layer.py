"""How fast this computer is at a recipe: a layer of its language model is run, not guessed about.

Products of large matrices say little: with AMX, the small ones and all that is no product of a
training step reach a seventh of their speed; without it, two thirds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from locvlm.training.adapters import base_model
from locvlm.training.engine.lora_forward import form_updates
from locvlm.training.plan.sequences import Sequences
from locvlm.training.plan.tracing import (
    Ledger,
    build_positions,
    training_autocast,
    use_training_attention,
)

SECONDS = 3.0  # for which it is measured, at least: a computer's speed varies from one to the next


def measure_layer_flops(model: nn.Module, reads: Sequences) -> float:
    """Additions and multiplications per second of a layer, forward and backward.

    They are counted as in the plan, without what the trainer's exact low-rank updates add; timed is
    what the trainer runs.

    Args:
        model: as `sketch` gives it; its layers are taken out of it.
        reads: how many tokens, laid out how.
    """
    decoder: Any = base_model(model).get_decoder()
    decoder.layers = decoder.layers[:1]
    decoder.embed_tokens = nn.Identity()  # the largest part, and not needed
    _fill_weights(decoder)
    dtype = base_model(model).config.dtype
    positions = build_positions(reads)
    width = base_model(model).config.get_text_config().hidden_size
    text = torch.zeros(reads.rows, reads.length, width, dtype=dtype).normal_().requires_grad_()

    def run() -> None:
        out = decoder(inputs_embeds=text, use_cache=False, **positions).last_hidden_state
        out.float().mean().backward()

    with use_training_attention(model, reads, naming=False), training_autocast(model):
        with Ledger(decoder) as ledger:
            run()
        with form_updates(decoder):
            run()  # the first time also sets up
            return ledger.flops / _time_repeated(run)


def _time_repeated(run: Callable[[], None]) -> float:
    """Seconds of one time, as a mean over at least `SECONDS`."""
    count, elapsed, start = 0, 0.0, time.perf_counter()
    while not count or elapsed < SECONDS:
        run()
        count += 1
        elapsed = time.perf_counter() - start
    return elapsed / count


def _fill_weights(module: nn.Module) -> None:
    """Weights: which ones does not matter, as long as nothing becomes infinite."""
    module.to_empty(device="cpu")
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            nn.init.normal_(tensor.data, std=0.02)
