"""Plain low-rank updates (LoRA) added to the weights that they were trained for.

PEFT wraps each layer to be able to train it, or to take the update off again, which takes longer
than reading the model. To answer, all that is needed is W += scale · B A, the same to the last bit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from locvlm.models.adapter_keys import PREFIX, rename_module, rename_old

# Settings of PEFT that change nothing in what is merged, whatever they say
_INDIFFERENT = frozenset(
    (
        "auto_mapping",
        "base_model_name_or_path",
        "inference_mode",
        "init_lora_weights",
        "lora_alpha",
        "lora_dropout",
        "megatron_core",
        "modules_to_save",
        "peft_version",
        "qalora_group_size",
        "r",
        "revision",
        "target_modules",
        "task_type",
        "use_rslora",
    )
)


@torch.no_grad()
def merge(model: nn.Module, config: Path, weights: Path) -> bool:
    """Merge a PEFT folder into its base.

    Args:
        model: the base, in float32; it is changed.
        config: `adapter_config.json`.
        weights: `adapter_model.safetensors`.

    Returns:
        False, and nothing is changed, where the adapter is more than plain low-rank updates of
        linear layers and modules that are replaced whole, or where it does not fit the base: let
        PEFT do it, or say why not.

    Raises:
        OSError, ValueError, SafetensorError: a file cannot be read.
    """
    state, settings = read_renamed(model, json.loads(config.read_bytes()), load_file(weights))
    if not _is_plain(settings):
        return False
    saved = {name.removeprefix(PREFIX): value.float() for name, value in state.items()}
    layers = _layers(model, settings["target_modules"])
    replaced = _replaced(model, settings.get("modules_to_save") or ())
    if not _fit(saved, layers, replaced):
        return False
    rank, alpha = settings["r"], settings["lora_alpha"]
    scale = alpha / (math.sqrt(rank) if settings.get("use_rslora") else rank)
    for name, layer in layers.items():
        a, b = (saved[f"{name}.lora_{side}.weight"] for side in "AB")  # (r, in), (out, r)
        layer.weight += (b @ a) * scale
    for name, value in replaced.items():
        value.copy_(saved[name])
    return True


def read_renamed(
    model: nn.Module, settings: Mapping[str, Any], state: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Weights and settings of a PEFT folder, by the names that the base has now.

    Args:
        model: the base.
        settings: of `adapter_config.json`.
        state: of `adapter_model.safetensors`.

    Returns:
        Both as they are, where all names are known; else with new names, and a pattern of old ones
        is the list of the layers that have weights.
    """
    modules = {name for name, _ in model.named_modules()}
    renamed = rename_old(state, modules)
    if renamed.keys() == state.keys():
        return dict(state), dict(settings)
    settings = dict(settings)
    targets = settings["target_modules"]
    if isinstance(targets, str):
        updated = (name.partition(".lora_") for name in renamed)
        settings["target_modules"] = sorted(
            {name.removeprefix(PREFIX) for name, update, _ in updated if update}
        )
        settings["exclude_modules"] = settings["layers_to_transform"] = None
    else:
        settings["target_modules"] = [rename_module(name + ".", modules)[:-1] for name in targets]
    saved = settings.get("modules_to_save")
    if saved:
        settings["modules_to_save"] = [rename_module(name + ".", modules)[:-1] for name in saved]
    return renamed, settings


def _is_plain(settings: Mapping[str, Any]) -> bool:
    active = {
        key
        for key, value in settings.items()
        if value and value != "none" and key not in _INDIFFERENT
    }
    return active == {"peft_type"} and settings["peft_type"] == "LORA"


def _layers(model: nn.Module, targets: str | Sequence[str] | None) -> dict[str, Any]:
    """The layers that are updated, as PEFT understands a pattern or a list of names."""

    def named(name: str) -> bool:
        if isinstance(targets, str):
            return re.fullmatch(targets, name) is not None
        return any(f".{name}".endswith(f".{target}") for target in targets or ())

    return {name: module for name, module in model.named_modules() if named(name)}


def _replaced(model: nn.Module, ends: Sequence[str]) -> dict[str, torch.Tensor]:
    """The weights of the modules that are saved whole; PEFT names these by their ends."""
    return {
        f"{name}.{part}": value
        for name, module in model.named_modules()
        if name.endswith(tuple(ends))
        for part, value in module.state_dict().items()
    }


def _fit(
    saved: Mapping[str, torch.Tensor],
    layers: Mapping[str, Any],
    replaced: Mapping[str, torch.Tensor],
) -> bool:
    """Whether there is a weight of the right shape for each place, and no other."""
    if any(type(layer) is not nn.Linear for layer in layers.values()):
        return False
    shapes = {name: value.shape for name, value in replaced.items()}
    for name, layer in layers.items():
        a, b = f"{name}.lora_A.weight", f"{name}.lora_B.weight"
        rank = saved[a].shape[0] if a in saved else 0
        shapes |= {a: torch.Size((rank, layer.in_features))}
        shapes |= {b: torch.Size((layer.out_features, rank))}
    kinds = {layer.weight.dtype for layer in layers.values()}
    kinds |= {value.dtype for value in replaced.values()}
    return kinds <= {torch.float32} and shapes == {n: value.shape for n, value in saved.items()}
