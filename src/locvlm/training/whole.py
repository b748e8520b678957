"""A model whose own weights are trained, as an ordinary Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, ProcessorMixin

from locvlm.models.load import load_whole


def save_whole(model: PreTrainedModel, processor: ProcessorMixin, folder: Path) -> None:
    """Write the model, what is float32 only for training in bfloat16, and its processor."""
    folder.mkdir(parents=True, exist_ok=True)
    dtype = _dtype(model)
    state = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=state)
    processor.save_pretrained(folder)


def load_weights(model: PreTrainedModel, folder: Path) -> None:
    """The weights that `save_whole` wrote, into a model of the same kind, in its own precision."""
    saved = load_whole(folder, _dtype(model))
    model.load_state_dict(saved.state_dict())


def _dtype(model: PreTrainedModel) -> torch.dtype:
    """As the model was loaded; a name, once the configuration was saved."""
    return getattr(torch, str(model.config.dtype or torch.float32).removeprefix("torch."))
