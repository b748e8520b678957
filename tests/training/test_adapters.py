"""The adapter: what is trained, what is saved, and what does not fit."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from locvlm.errors import InputError
from locvlm.models import load
from locvlm.models.load import Loaded
from locvlm.training.adapters import (
    WEIGHTS,
    add_adapter,
    choose_trained,
    load_adapter,
    save_adapter,
)
from locvlm.training.recipe import Lora

PROJECTOR = "multi_modal_projector"
LORA = Lora(rank=2, alpha=2)


@pytest.fixture
def tuned(small_model: Loaded) -> PeftModel:
    model: Any = deepcopy(small_model.model)
    return add_adapter(model.to(torch.bfloat16), LORA)


def shake(model: PeftModel) -> None:
    """Give every trained weight a new value that bfloat16 holds exactly."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=generator).bfloat16().float()


def trained(model: PeftModel) -> dict[str, torch.Tensor]:
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("lora", [True, False])
def test_what_is_trained(tuned: PeftModel, lora: bool) -> None:
    choose_trained(tuned, {"adapter", "lora"} if lora else {"adapter"})
    names = trained(tuned)
    assert all("lora_" in name or PROJECTOR in name for name in names)
    assert any("lora_" in name for name in names) == lora
    assert not any("vision_tower" in name for name in names)
    assert {p.dtype for p in names.values()} == {torch.float32}
    frozen = [p for p in tuned.parameters() if not p.requires_grad and p.is_floating_point()]
    assert torch.bfloat16 in {p.dtype for p in frozen}


def test_saved_and_loaded_again(tuned: PeftModel, small_model: Loaded, tmp_path: Path) -> None:
    shake(tuned)
    save_adapter(tuned, tmp_path, lora=True)
    other = add_adapter(deepcopy(small_model.model), LORA)  # type: ignore[arg-type]
    load_adapter(other, tmp_path)
    ours, theirs = trained(other), trained(tuned)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


def test_saved_without_the_low_rank_updates(tuned: PeftModel, tmp_path: Path) -> None:
    shake(tuned)
    save_adapter(tuned, tmp_path, lora=False)
    saved = load_file(tmp_path / WEIGHTS)
    assert saved
    assert all(PROJECTOR in name for name in saved)
    assert {value.dtype for value in saved.values()} == {torch.bfloat16}


def test_an_adapter_of_another_rank_does_not_fit(tuned: PeftModel, tmp_path: Path) -> None:
    save_adapter(tuned, tmp_path, lora=True)
    state = load_file(tmp_path / WEIGHTS)
    wider = {k: torch.cat([v, v]) if "lora_A" in k else v for k, v in state.items()}
    save_file(wider, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match="does not fit the recipe's lora") as error:
        load_adapter(tuned, tmp_path)
    assert "\n" not in str(error.value)


def test_a_weight_without_a_place_is_named(tuned: PeftModel, tmp_path: Path) -> None:
    save_adapter(tuned, tmp_path, lora=True)
    state = load_file(tmp_path / WEIGHTS)
    state["base_model.model.stray.lora_A.weight"] = torch.zeros(2, 2)
    save_file(state, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match="stray"):
        load_adapter(tuned, tmp_path)


def test_updates_that_count_otherwise_are_refused(tuned: PeftModel, tmp_path: Path) -> None:
    save_adapter(tuned, tmp_path, lora=True)
    config = tmp_path / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 2', '"lora_alpha": 4'))
    with pytest.raises(InputError, match="its updates count 4/2-fold"):
        load_adapter(tuned, tmp_path)
    save_adapter(tuned, tmp_path, lora=False)
    config.write_text(config.read_text().replace('"lora_alpha": 2', '"lora_alpha": 4'))
    assert not load_adapter(tuned, tmp_path)  # of no updates


def test_a_part_that_the_model_has_not(tuned: PeftModel) -> None:
    with pytest.raises(InputError, match="trains: no encoder is known"):
        choose_trained(tuned, {"lora", "encoder"})


def test_what_is_trained_is_saved(family: tuple[str, Any, Any], tmp_path: Path) -> None:
    """Also where a part holds a parameter that no module keeps (LLaVA-NeXT's `image_newline`)."""
    _, model, _ = family
    other = add_adapter(deepcopy(model), Lora(rank=2, alpha=2, targets=("all",)))
    choose_trained(other, {"adapter", "lora"})
    save_adapter(other, tmp_path, lora=True)
    moved = {n.replace(".modules_to_save", "").replace(".default", "") for n in trained(other)}
    assert moved
    assert moved <= load_file(tmp_path / WEIGHTS).keys()


def test_no_path_of_this_machine_is_saved() -> None:
    for config in load.WEIGHTS.glob("*/*.json"):
        assert '"/' not in config.read_text(), config
