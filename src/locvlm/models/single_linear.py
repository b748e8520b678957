"""A LLaVA whose adapter is one linear layer, as LocVLM-B's (arXiv 2404.07449, table of models).

The adapter of transformers' LLaVA is two layers with an activation between them:

    encoder ─► linear_1 ─► activation ─► linear_2 ─► language model

Here the activation does nothing, and linear_2 is the identity with no bias, which is never trained:
exact in 16 bits too, so any tool that opens a LLaVA computes the one layer. The configuration says
it, which merging and saving keep.
"""

from __future__ import annotations

from typing import Any

from torch import nn

MARK = "single_linear_projector"  # in the configuration


def settings_of(adapter: str) -> dict[str, Any]:
    """What the configuration of a LLaVA says of a recipe's `adapter`: `linear` or `mlp`."""
    if adapter == "linear":
        return {"projector_hidden_act": "linear", MARK: True}
    return {"projector_hidden_act": "gelu"}


def set_identity(model: Any) -> None:
    """Make linear_2 the identity, where the configuration of a new model says so."""
    if getattr(model.config, MARK, False):
        second = model.model.multi_modal_projector.linear_2
        nn.init.eye_(second.weight)
        nn.init.zeros_(second.bias)


def is_identity(model: Any, name: str) -> bool:
    """Whether a parameter, by full name, is of the identity, which is never trained."""
    inside = name.split(".")
    marked = getattr(getattr(model, "config", None), MARK, False)
    return bool(marked) and "multi_modal_projector" in inside and "linear_2" in inside
