"""The encoder's outputs that a LLaVA's adapter reads."""

from __future__ import annotations

from typing import Any

import torch


def patch_features(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """(N, T, D) features of N pictures: D is that of all layers that are read together.

    Args:
        model: a `LlavaModel`; its CLS token is left out where its configuration says so.
        pixels: (N, 3, H, W), as the model's processor makes them.
    """
    hidden = model.vision_tower(pixels, output_hidden_states=True).hidden_states
    layers = model.config.vision_feature_layer
    layers = [layers] if isinstance(layers, int) else layers
    first = int(model.config.vision_feature_select_strategy == "default")  # without CLS
    return torch.cat([hidden[layer][:, first:] for layer in layers], dim=-1)
