"""What training changes: the projector and low-rank updates of the language model, as one adapter.

Saved as an ordinary PEFT folder in bfloat16. Before the language model is trained at all, only the
projector is in it.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    set_peft_model_state_dict,
)
from peft.utils.constants import DUMMY_TARGET_MODULES
from safetensors.torch import load_file, save_file
from transformers import LlavaForConditionalGeneration

from locvlm.errors import InputError
from locvlm.training.block_attention import NAME
from locvlm.training.recipe import Lora

PROJECTOR = "multi_modal_projector"
WEIGHTS = "adapter_model.safetensors"


def add_adapter(model: LlavaForConditionalGeneration, lora: Lora) -> PeftModel:
    """`model` frozen, with a float32 projector and float32 low-rank updates to be trained."""
    model.set_attn_implementation({"text_config": NAME})
    config = _config(lora, rf".*language_model\..*\.({'|'.join(lora.targets)})")
    tuned = get_peft_model(model, config, autocast_adapter_dtype=False)
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return tuned


def choose_trained(model: PeftModel, *, lora: bool) -> None:
    """The projector is trained; the low-rank updates only if `lora`."""
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.requires_grad_(lora)


def save_adapter(model: PeftModel, folder: Path, *, lora: bool) -> None:
    """Write a PEFT folder; without `lora`, of the projector alone."""
    folder.mkdir(parents=True, exist_ok=True)
    config = model.peft_config["default"]
    if not lora:
        config = _config(Lora(rank=config.r, alpha=config.lora_alpha), DUMMY_TARGET_MODULES)
    state = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous()
        for name, tensor in get_peft_model_state_dict(model, save_embedding_layers=False).items()
        if lora or "lora_" not in name
    }
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    saved = copy.copy(config)
    saved.inference_mode = True
    saved.base_model_name_or_path = None  # a path of this machine; locvlm.json names the base
    saved.save_pretrained(str(folder))


def load_adapter(model: PeftModel, folder: Path) -> bool:
    """Go on from a saved adapter; one without low-rank updates leaves them at nothing.

    Returns:
        Whether it holds low-rank updates.

    Raises:
        InputError: its weights do not fit.
    """
    state: dict[str, Any] = {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}
    try:
        result = set_peft_model_state_dict(model, state)
    except RuntimeError as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: does not fit the recipe's lora: {detail}") from error
    if result.unexpected_keys:
        raise InputError(f"{folder}: holds {result.unexpected_keys[0]}, which has no place here")
    return any("lora_" in name for name in state)


def _config(lora: Lora, targets: str) -> LoraConfig:
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=targets,
        modules_to_save=[PROJECTOR],
        task_type="CAUSAL_LM",
    )
