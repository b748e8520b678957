"""The adapter: what is trained, what is saved, and what does not fit."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from locvlm.errors import InputError
from locvlm.models import folders
from locvlm.models.load import Loaded
from locvlm.training.adapters import (
    WEIGHTS,
    add_adapter,
    choose_trained,
    load_adapter,
    read_lora,
    resolve_lora,
    save_adapter,
)
from locvlm.training.recipe import LoraSettings, Recipe

PROJECTOR = "multi_modal_projector"
LORA = LoraSettings(rank=2, alpha=2)


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


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (
            LoraSettings(rank=4, alpha=8),
            "rank 4, the recipe's lora 2; set lora.rank=4 and lora.alpha=8$",
        ),
        (LoraSettings(rank=2, alpha=4), "its updates count 4/2-fold .* set lora.alpha"),
        (
            LoraSettings(rank=2, alpha=2, targets=("q_proj", "up_proj")),
            r"updates up_proj, .*leave out; set lora.targets=\[q_proj, up_proj\]$",
        ),
    ],
)
def test_updates_of_another_recipe(
    tuned: PeftModel, small_model: Loaded, tmp_path: Path, lora: LoraSettings, message: str
) -> None:
    other: Any = add_adapter(deepcopy(small_model.model), lora)  # type: ignore[arg-type]
    save_adapter(other, tmp_path, lora=True)
    with pytest.raises(InputError, match=message) as error:
        load_adapter(tuned, tmp_path)
    assert "\n" not in str(error.value)
    save_adapter(other, tmp_path, lora=False)
    assert not load_adapter(tuned, tmp_path)  # of no updates


def test_more_layers_may_be_updated(tuned: PeftModel, small_model: Loaded, tmp_path: Path) -> None:
    few = LoraSettings(rank=2, alpha=2, targets=("q_proj",))
    save_adapter(add_adapter(deepcopy(small_model.model), few), tmp_path, lora=True)  # type: ignore[arg-type]
    assert load_adapter(tuned, tmp_path)


def test_how_the_updates_of_a_folder_are_made(tuned: PeftModel, tmp_path: Path) -> None:
    save_adapter(tuned, tmp_path, lora=False)
    assert read_lora(tmp_path) is None
    save_adapter(tuned, tmp_path, lora=True)
    found = read_lora(tmp_path)
    assert found == msgspec.structs.replace(LORA, targets=tuple(sorted(LoraSettings().targets)))


@pytest.mark.parametrize(
    "kind",
    [
        {"rank_pattern": {"q_proj": 2}},
        {"alpha_pattern": {"q_proj": 9}},
        {"use_rslora": True},
        {"use_dora": True},
        {"lora_bias": True},
    ],
)
def test_updates_of_another_kind(tuned: PeftModel, tmp_path: Path, kind: dict[str, Any]) -> None:
    save_adapter(tuned, tmp_path, lora=True)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | kind))
    for read in (lambda: read_lora(tmp_path), lambda: load_adapter(tuned, tmp_path)):
        with pytest.raises(InputError, match=f"adapter_config.json: {next(iter(kind))} makes"):
            read()


def test_whose_low_rank_updates_a_run_has(tuned: PeftModel, tmp_path: Path) -> None:
    given, silent = (Recipe(data=(), out="", stages={}, lora=lora) for lora in (LORA, None))
    assert resolve_lora(silent, None) == LoraSettings()
    save_adapter(tuned, tmp_path, lora=False)
    assert resolve_lora(silent, tmp_path) == LoraSettings()
    save_adapter(tuned, tmp_path, lora=True)
    assert resolve_lora(silent, tmp_path) == read_lora(tmp_path) != LoraSettings()
    assert resolve_lora(given, tmp_path) == LORA


def _without(state: dict[str, torch.Tensor], words: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if words not in name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: _without(s, "layers.1."), r"layers\.1\..* it holds nothing, here belongs 2 x"),
        (
            lambda s: (
                s | {name.replace("s.1.", "s.2."): value.clone() for name, value in s.items()}
            ),
            r"layers\.2\..* it holds \d+ x \d+, here belongs nothing",
        ),
        (
            lambda s: {name: torch.cat([value, value]) for name, value in s.items()},
            r"it holds \d+ x \d+, here belongs \d+ x \d+; let .*locvlm\.json name its own model",
        ),
    ],
)
def test_an_adapter_of_another_model(
    tuned: PeftModel,
    tmp_path: Path,
    change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
    message: str,
) -> None:
    save_adapter(tuned, tmp_path, lora=True)
    save_file(change(load_file(tmp_path / WEIGHTS)), tmp_path / WEIGHTS)
    with pytest.raises(InputError, match=f"was made for another model: .*{message}") as error:
        load_adapter(tuned, tmp_path)
    assert "\n" not in str(error.value)


def test_low_rank_updates_of_another_trainer_alone_by_their_old_names(
    tuned: PeftModel, small_model: Loaded, tmp_path: Path
) -> None:
    choose_trained(tuned, {"adapter", "lora"})
    shake(tuned)
    save_adapter(tuned, tmp_path, lora=True)
    state = load_file(tmp_path / WEIGHTS)
    old = {
        name.replace("model.model.language_model.", "model.language_model.model."): weight
        for name, weight in state.items()
        if "lora_" in name
    }
    assert not old.keys() & state.keys()
    save_file(old, tmp_path / WEIGHTS)
    model: Any = deepcopy(small_model.model)
    again = add_adapter(model, LORA)
    before = {name: weight.clone() for name, weight in again.named_parameters()}
    assert load_adapter(again, tmp_path)
    known = dict(tuned.named_parameters())
    for name, weight in again.named_parameters():
        expected = known[name] if "lora_" in name else before[name]
        assert torch.equal(weight, expected), name


def test_a_language_model_by_no_known_name_is_refused(small_model: Loaded) -> None:
    model: Any = torch.nn.ModuleDict(
        {"decoder": torch.nn.ModuleDict({"q_proj": torch.nn.Linear(2, 2)})}
    )
    with pytest.raises(InputError, match=r"decoder\.q_proj is below no language_model"):
        add_adapter(model, LORA)


def test_a_part_that_the_model_has_not(tuned: PeftModel) -> None:
    with pytest.raises(InputError, match="trains: no encoder is known"):
        choose_trained(tuned, {"lora", "encoder"})


def test_what_is_trained_is_saved(family: tuple[str, Any, Any], tmp_path: Path) -> None:
    """Also where a part holds a parameter that no module keeps (LLaVA-NeXT's `image_newline`)."""
    _, model, _ = family
    other = add_adapter(deepcopy(model), LoraSettings(rank=2, alpha=2, targets=("all",)))
    choose_trained(other, {"adapter", "lora"})
    save_adapter(other, tmp_path, lora=True)
    moved = {n.replace(".modules_to_save", "").replace(".default", "") for n in trained(other)}
    assert moved
    assert moved <= load_file(tmp_path / WEIGHTS).keys()


def test_no_path_of_this_machine_is_saved() -> None:
    for config in folders.WEIGHTS.glob("*/*.json"):
        assert '"/' not in config.read_text(), config


def test_shipped_adapters_are_as_their_settings_say() -> None:
    for path in folders.WEIGHTS.glob(f"*/{WEIGHTS}"):
        assert path.stat().st_size <= 12e6, path
        lora = read_lora(path.parent)
        ranks = {value.shape[0] for name, value in load_file(path).items() if "lora_A" in name}
        assert ranks == (set() if lora is None else {lora.rank}), path
