"""A model whose own weights are trained, as an ordinary Hugging Face folder."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel, ProcessorMixin

from locvlm.models.load import load_whole


def save_full_model(
    model: PreTrainedModel,
    processor: ProcessorMixin,
    folder: Path,
    dtype: torch.dtype,
    state: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write a model and its processor.

    Args:
        dtype: of the weights in the folder; what is trained is float32 in `model`.
        state: the weights, if the model's own are spread over processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _cast(state or model.state_dict(), dtype)
    model.save_pretrained(folder, state_dict=state)
    processor.save_pretrained(folder)


def load_weights(model: PreTrainedModel, folder: Path, dtype: torch.dtype) -> None:
    """The weights that `save_full_model` wrote in `dtype`, into a model of the same kind."""
    saved = load_whole(folder, dtype)
    model.load_state_dict(saved.state_dict())


def _cast(state: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Weights in `dtype`; tied ones stay one tensor, which is written once."""
    places = {name: (tensor.data_ptr(), tensor.shape) for name, tensor in state.items()}
    once = {
        places[name]: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in state.items()
    }
    return {name: once[place] for name, place in places.items()}
