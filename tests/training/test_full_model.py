"""A whole model goes into a folder and comes back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from locvlm.models.load import Loaded, load_whole
from locvlm.training.full_model import load_weights, save_full_model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip(small_model: Loaded, tmp_path: Path, dtype: torch.dtype) -> None:
    model = small_model.model
    save_full_model(model, small_model.processor, tmp_path, dtype)
    saved = load_file(tmp_path / "model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {dtype}
    assert not any("lm_head" in name for name in saved)  # tied to the embeddings
    other = load_whole(tmp_path, dtype)
    torch.nn.init.zeros_(other.get_input_embeddings().weight)
    load_weights(other, tmp_path, dtype)
    theirs = other.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(theirs[name], tensor.to(dtype)), name
