"""Settings of FSDP2 and ZeRO-3; what cannot be done is one line (`test_runs_in_processes` runs)."""

from typing import Any

import pytest
import torch
from torch import nn

from locvlm.compat.model_layers import layer_classes
from locvlm.errors import InputError
from locvlm.models.load import Loaded
from locvlm.runtime import precision
from locvlm.runtime.precision import Precision
from locvlm.training.engine import sharding
from locvlm.training.recipe import Recipe


def recipe(**settings: Any) -> Recipe:
    return Recipe(data=(), out="", stages={}, **settings)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "is_launched", lambda: True)


@pytest.fixture
def with_deepspeed(launched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    native = Precision("bf16", "GPU", "pretended")
    monkeypatch.setattr(precision, "native_precision", lambda: native)


@pytest.mark.parametrize("kind", ["ddp", "fsdp2", "zero3"])
def test_one_process_has_the_whole_model(kind: str) -> None:
    alone = recipe(distributed=kind)
    assert not sharding.is_sharded(alone)
    assert sharding.sharding_settings(alone, nn.Linear(1, 1), checkpointing=True) == {}
    assert sharding.checkpoint_form(alone) == sharding.checkpoint_form(recipe())


def test_fsdp2_gathers_layer_by_layer(launched: None, small_model: Loaded) -> None:
    made = sharding.sharding_settings(
        recipe(distributed="fsdp2"), small_model.model, checkpointing=True
    )
    assert made["fsdp"] is True
    assert made["fsdp_config"]["version"] == 2
    assert made["fsdp_config"]["activation_checkpointing"] is True
    assert "LlamaDecoderLayer" in made["fsdp_config"]["transformer_layer_cls_to_wrap"]


def test_only_layers_that_are_there_are_gathered(small_model: Loaded) -> None:
    assert layer_classes(nn.Linear(1, 1)) == []
    known = {type(module).__name__ for module in small_model.model.modules()}
    assert set(layer_classes(small_model.model)) <= known


def test_sums_over_processes_are_float32() -> None:
    assert sharding.mixed_precision_settings(recipe(precision="fp32")) == {}
    policy = sharding.mixed_precision_settings(recipe(precision="bf16"))["mixed_precision_policy"]
    assert (policy.param_dtype, policy.reduce_dtype) == (torch.bfloat16, torch.float32)


def test_weights_that_are_not_spread_are_gathered_as_they_are() -> None:
    assert sharding.gather_weights({}) == {}
    weight = nn.Parameter(torch.ones(2))
    whole = sharding.gather_weights({"a": weight, "tied": weight})
    assert whole["a"] is whole["tied"]
    assert not whole["a"].requires_grad


@pytest.mark.parametrize("wanted", ["bf16", "fp16", "fp32"])
def test_zero3(with_deepspeed: None, wanted: str) -> None:
    asked = recipe(distributed="zero3", precision=wanted)
    made = sharding.sharding_settings(asked, nn.Linear(1, 1), checkpointing=False)["deepspeed"]
    assert made["zero_optimization"]["stage"] == 3
    assert made["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    assert {kind for kind in ("bf16", "fp16") if made[kind]["enabled"]} == {wanted} - {"fp32"}
    assert sharding.checkpoint_form(asked) == "zero3 in 1 processes"


def test_deepspeed_is_missing(launched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="zero3 needs DeepSpeed; pip install deepspeed, or choos"):
        sharding.sharding_settings(
            recipe(distributed="zero3"), nn.Linear(1, 1), checkpointing=False
        )


def test_zero3_without_gpus(launched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="zero3 needs GPUs; without them, choose fsdp2"):
        sharding.sharding_settings(
            recipe(distributed="zero3"), nn.Linear(1, 1), checkpointing=False
        )


@pytest.mark.parametrize("kind", ["fsdp2", "zero3"])
def test_weights_of_four_bits_are_not_spread(with_deepspeed: None, kind: str) -> None:
    asked = recipe(distributed=kind, quantize="4bit")
    with pytest.raises(InputError, match=rf"{kind} cannot spread 4-bit weights; use ddp"):
        sharding.sharding_settings(asked, nn.Linear(1, 1), checkpointing=False)
