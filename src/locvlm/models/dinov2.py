"""DINOv2 ViT-S/14 rebuilt from an ONNX graph as a stock `Dinov2Model`.

The exporter kept the names of biases and norms, but turned every linear weight into an anonymous,
transposed MatMul constant; the node that consumes it tells which layer it belongs to.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Dinov2Config, Dinov2Model

MATMUL = re.compile(r"^/backbone/(encoder/layer\.\d+/.+)/MatMul$")
CLS_SHAPE, PATCHES_SHAPE = (1, 1, 384), (1, 37 * 37, 384)  # position embeddings at 518 px


def config() -> Dinov2Config:
    """DINOv2-S: 12 layers of width 384, patches of 14 px, positions learned at 518 px."""
    return Dinov2Config(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, image_size=518, patch_size=14
    )


def load_onnx(path: Path) -> Dinov2Model:
    """The encoder of an ONNX graph whose initializers are named `backbone.*`."""
    import onnx

    weights = state_dict(onnx.load(str(path)).graph)
    with tempfile.TemporaryDirectory() as folder:
        # from_pretrained renames keys of older checkpoints, load_state_dict does not
        config().save_pretrained(folder)
        save_file(weights, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        model, loading = Dinov2Model.from_pretrained(folder, output_loading_info=True)
    missing = {key for keys in loading.values() for key in keys}
    if missing:
        raise ValueError(f"{path}: not a DINOv2-S, these weights do not fit: {sorted(missing)[:5]}")
    return model


def state_dict(graph: Any) -> dict[str, torch.Tensor]:
    """The encoder's weights by their Hugging Face checkpoint names."""
    from onnx import numpy_helper

    constants = {init.name: numpy_helper.to_array(init) for init in graph.initializer}
    weights = {
        name.removeprefix("backbone."): value
        for name, value in constants.items()
        if name.startswith("backbone.")
    }
    for node in graph.node:
        match = MATMUL.match(node.name)
        if match and node.input[1] in constants:
            # ONNX multiplies from the right, torch.nn.Linear stores (out, in)
            weights[match[1].replace("/", ".") + ".weight"] = constants[node.input[1]].T
    anonymous = {v.shape: v for k, v in constants.items() if k.startswith("onnx::")}
    positions = np.concatenate([anonymous[CLS_SHAPE], anonymous[PATCHES_SHAPE]], axis=1)
    weights["embeddings.position_embeddings"] = positions
    weights["embeddings.mask_token"] = np.zeros((1, 384), np.float32)  # used in pretraining only
    return {name: torch.tensor(np.ascontiguousarray(value)) for name, value in weights.items()}
