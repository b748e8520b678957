"""A small adapter beside its base, as training leaves it."""

import copy
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from locvlm.models.folders import ModelSettings
from locvlm.models.load import Loaded

LANGUAGE = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|down_proj)"


@pytest.fixture
def adapter(small_model: Loaded, small_base: Path, tmp_path: Path) -> Path:
    """With LoRA and a projector that have learned something (random)."""
    lora = LoraConfig(r=4, target_modules=LANGUAGE, modules_to_save=["multi_modal_projector"])
    model = get_peft_model(copy.deepcopy(small_model.model), lora)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            torch.nn.init.normal_(weight, std=0.2)
    folder = tmp_path / "run" / "model"
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's own form to fill in
    ModelSettings(format="ivb", options={"bins": 56}, base="../../base").write(folder)
    shutil.copytree(small_base, tmp_path / "base")
    return folder
