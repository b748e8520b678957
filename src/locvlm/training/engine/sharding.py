"""A model that no single process holds: FSDP2 and DeepSpeed's ZeRO-3, as the recipe asks for it.

Both spread the weights, their gradients and the optimizer's state over all processes, and gather a
layer's weights when it is computed. `ddp` needs none of this: every process holds the whole model.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.distributed.fsdp import MixedPrecisionPolicy
from torch.distributed.tensor import DTensor

from locvlm.compat.model_layers import layer_classes
from locvlm.distributed import is_launched, partial_state
from locvlm.errors import InputError
from locvlm.runtime.precision import choose_precision
from locvlm.training.recipe import Recipe


def is_sharded(recipe: Recipe) -> bool:
    """Whether the processes of this run share one model."""
    return recipe.distributed != "ddp" and is_launched()


def checkpoint_form(recipe: Recipe) -> str:
    """Who can go on from a checkpoint: with ddp and fsdp2, any number of processes."""
    if not is_sharded(recipe):
        return "processes with a whole model each"
    if recipe.distributed == "fsdp2":
        return "fsdp2 under torchrun"
    return f"zero3 in {partial_state().num_processes} processes"


def sharding_settings(recipe: Recipe, model: nn.Module, *, checkpointing: bool) -> dict[str, Any]:
    """What `TrainingArguments` need to know of it.

    Raises:
        InputError: it cannot be done here.
    """
    if not is_sharded(recipe):
        return {}
    if recipe.quantize:
        raise InputError(f"distributed: {recipe.distributed} cannot spread 4-bit weights; use ddp")
    if recipe.distributed == "zero3":
        return {"deepspeed": _zero3(recipe)}
    layers = {
        "version": 2,
        "transformer_layer_cls_to_wrap": layer_classes(model),
        "state_dict_type": "SHARDED_STATE_DICT",  # any number of processes can go on from it
        "reshard_after_forward": True,
        "activation_checkpointing": checkpointing,
    }
    return {"fsdp": True, "fsdp_config": layers}


def mixed_precision_settings(recipe: Recipe) -> dict[str, Any]:
    """What FSDP2 computes in: layers as they are gathered, sums over processes in float32.

    Accelerate would add gradients up in 16 bits. What is trained is kept in float32, and what is
    not may be of 16 bits beside it: only trained weights of one layer must be of one kind.
    """
    precision = choose_precision(recipe.precision)
    if not precision.mixed:
        return {}
    half = precision.dtype
    policy = MixedPrecisionPolicy(half, reduce_dtype=torch.float32, output_dtype=half)
    return {"mixed_precision_policy": policy}


def gather_weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole tensors from those that FSDP2 has spread, in the main process; all must take part.

    Args:
        state: with the parameters themselves (`keep_vars`), so that tied ones stay tied.
    """
    whole: dict[int, torch.Tensor] = {}
    for tensor in state.values():
        if id(tensor) not in whole:
            full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
            whole[id(tensor)] = (
                full.detach().cpu() if partial_state().is_main_process else full.new()
            )
    return {name: whole[id(tensor)] for name, tensor in state.items()}


def _zero3(recipe: Recipe) -> dict[str, Any]:
    if find_spec("deepspeed") is None:
        raise InputError(
            "distributed: zero3 needs DeepSpeed; pip install deepspeed, or choose fsdp2"
        )
    if not torch.cuda.is_available():
        raise InputError("distributed: zero3 needs GPUs; without them, choose fsdp2")
    precision = choose_precision(recipe.precision).name
    return {
        "bf16": {"enabled": precision == "bf16"},
        "fp16": {"enabled": precision == "fp16"},  # DeepSpeed scales the loss itself
        "zero_optimization": {
            "stage": 3,
            "overlap_comm": True,
            "contiguous_gradients": True,
            "stage3_gather_16bit_weights_on_model_save": True,
        },
        # DeepSpeed wants these; "auto" takes them from TrainingArguments
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }
