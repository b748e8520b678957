"""Merging against PEFT's own merge, bit for bit."""

import copy
import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from locvlm.models import lora
from locvlm.models.folders import ADAPTER
from locvlm.models.load import Loaded

LANGUAGE = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|down_proj)"
PROJECTOR = ["multi_modal_projector"]
PLAIN = {
    "a pattern": {"target_modules": LANGUAGE, "modules_to_save": PROJECTOR},
    "names": {"target_modules": ["q_proj", "down_proj"]},
    "full names": {"target_modules": ["model.language_model.layers.0.self_attn.q_proj"]},
    "a scale of its own": {"target_modules": LANGUAGE, "lora_alpha": 5, "use_rslora": True},
    "the output layer": {"target_modules": ["lm_head"]},
}
NOT_PLAIN = {
    "directions": {"target_modules": LANGUAGE, "use_dora": True},
    "some layers": {"target_modules": ["q_proj"], "layers_to_transform": [0]},
    "ranks": {"target_modules": LANGUAGE, "rank_pattern": {"q_proj": 2}},
    "all but": {"target_modules": LANGUAGE, "exclude_modules": ["q_proj"]},
    "biases": {"target_modules": LANGUAGE, "lora_bias": True, "init_lora_weights": True},
    "an embedding": {"target_modules": ["embed_tokens"]},
}


@pytest.fixture
def model(small_model: Loaded) -> nn.Module:
    return copy.deepcopy(small_model.model).float()


def save(model: nn.Module, folder: Path, dtype=torch.bfloat16, **settings) -> Path:
    """A PEFT folder of something learned (random)."""
    if settings.get("lora_bias"):
        model = biased(copy.deepcopy(model))
    tuned = get_peft_model(copy.deepcopy(model), LoraConfig(r=4, **settings))
    torch.manual_seed(1)
    for name, weight in tuned.named_parameters():
        if "lora_" in name or "modules_to_save" in name:
            torch.nn.init.normal_(weight, std=0.2)
    tuned.to(dtype).save_pretrained(folder, save_embedding_layers=False)
    return folder


def biased(model: nn.Module) -> nn.Module:
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.bias is None:
            layer.bias = nn.Parameter(torch.zeros(layer.out_features))
    return model


def merged(model: nn.Module, folder: Path) -> bool:
    return lora.merge(model, *(folder / name for name in ADAPTER))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("settings", PLAIN.values(), ids=PLAIN)
def test_as_peft_merges(model: nn.Module, tmp_path: Path, settings, dtype: torch.dtype):
    folder = save(model, tmp_path, dtype, **settings)
    theirs = PeftModel.from_pretrained(copy.deepcopy(model), str(folder)).merge_and_unload()
    before = copy.deepcopy(model.state_dict())
    assert merged(model, folder)
    found, expected = model.state_dict(), theirs.state_dict()
    assert found.keys() == expected.keys()
    assert [name for name in found if not torch.equal(found[name], expected[name])] == []
    assert any(not torch.equal(found[name], before[name]) for name in found)


def unchanged(model: nn.Module, folder: Path) -> bool:
    before = copy.deepcopy(model.state_dict())
    done = merged(model, folder)
    after = model.state_dict()
    return not done and all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("settings", NOT_PLAIN.values(), ids=NOT_PLAIN)
def test_what_is_not_plain_is_left_to_peft(model: nn.Module, tmp_path: Path, settings):
    assert unchanged(model, save(model, tmp_path, **settings))


@pytest.mark.parametrize("part", ["lora_A", "lora_B", "linear_1.bias"])
def test_missing_stray_and_misshapen(model: nn.Module, tmp_path: Path, part: str):
    folder = save(model, tmp_path, target_modules=LANGUAGE, modules_to_save=PROJECTOR)
    path = folder / ADAPTER[1]
    weights = load_file(path)
    name = next(name for name in weights if part in name)
    for other in (
        {k: v for k, v in weights.items() if k != name},
        weights | {name + "2": weights[name].clone()},
        weights | {name: weights[name][:-1].clone()},
    ):
        save_file(other, path)
        assert unchanged(model, folder)


def test_a_layer_without_any_update(model: nn.Module, tmp_path: Path):
    folder = save(model, tmp_path, target_modules=LANGUAGE)
    weights = load_file(folder / ADAPTER[1])
    some = {k: v for k, v in weights.items() if "layers.0.self_attn.q_proj" not in k}
    assert len(some) == len(weights) - 2
    save_file(some, folder / ADAPTER[1])
    assert unchanged(model, folder)


def test_a_base_that_would_be_rounded(model: nn.Module, tmp_path: Path):
    folder = save(model, tmp_path, target_modules=LANGUAGE)
    assert unchanged(model.bfloat16(), folder)


def test_another_kind_of_adapter(model: nn.Module, tmp_path: Path):
    folder = save(model, tmp_path, target_modules=LANGUAGE)
    settings = json.loads((folder / ADAPTER[0]).read_text())
    (folder / ADAPTER[0]).write_text(json.dumps(settings | {"peft_type": "LOHA"}))
    assert unchanged(model, folder)
    (folder / ADAPTER[0]).write_text(json.dumps(settings | {"something_new": {"of": "PEFT"}}))
    assert unchanged(model, folder)
    (folder / ADAPTER[0]).write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        merged(model, folder)
