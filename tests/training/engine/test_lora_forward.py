"""Updates formed with their weights: what PEFT computes, and no update lost to rounding."""

import math
from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from peft.tuners.lora.layer import Linear
from torch import nn

from locvlm.compat.lora_linear import is_plain
from locvlm.training.engine import lora_forward
from locvlm.training.engine.lora_forward import (
    WORTH,
    form_updates,
    form_weight,
    round_evenly,
)


def small(**settings: Any) -> Any:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 6, bias=False))
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["0", "2"], **settings)
    model = get_peft_model(layers, config, autocast_adapter_dtype=False)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    return model


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, 0.0))


def learn(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    x = x.clone().requires_grad_()
    out = model(x)
    out.square().sum().backward()
    assert x.grad is not None
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return {"out": out.detach(), "x": x.grad, **grads}


@pytest.mark.parametrize("worth", [0.0, math.inf])
@pytest.mark.parametrize("shape", [(1, 12), (7, 12), (2, 5, 12)])
def test_what_peft_computes(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], worth: float
) -> None:
    monkeypatch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, worth))
    model = small()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    theirs = learn(model, x)
    with form_updates(model) as count:
        ours = learn(model, x)
    assert count == 2
    assert ours.keys() == theirs.keys()
    assert sum("lora_" in name for name in ours) == 4
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-4)
    assert type(model.base_model.model[0]) is Linear


@pytest.mark.parametrize("worth", [0.0, math.inf])
def test_in_bfloat16_as_near_to_the_truth_as_peft(
    monkeypatch: pytest.MonkeyPatch, worth: float
) -> None:
    monkeypatch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, worth))
    exact = small()
    half = deepcopy(exact)
    for name, parameter in half.named_parameters():
        if "lora_" not in name:
            parameter.data = parameter.data.bfloat16()
    x = torch.randn(64, 12, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", torch.bfloat16):
        theirs = learn(half, x)
        with form_updates(half):
            ours = learn(half, x)
    truth = learn(exact, x)
    for name, value in truth.items():
        scale = float(value.abs().max())
        wrong, missed = ((some[name].float() - value).abs().max() for some in (ours, theirs))
        assert wrong < max(2 * float(missed), 0.02 * scale), name


@pytest.mark.parametrize("settings", [{"lora_dropout": 0.1}, {"use_dora": True}])
def test_what_cannot_be_formed_is_left_to_peft(settings: dict[str, Any]) -> None:
    model = small(**settings)
    with form_updates(model) as count:
        assert count == 0
    assert not any(is_plain(module) for module in model.modules())


def test_few_tokens_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, 1e9))
    monkeypatch.setattr(lora_forward, "form_weight", lambda *_: pytest.fail("formed"))
    model = small()
    with form_updates(model):
        learn(model, torch.ones(3, 12))


@pytest.mark.parametrize(
    ("dtype", "tokens", "formed"),
    [
        ("float32", 50, True),
        ("float32", 5, False),
        ("bfloat16", 30, False),
        ("bfloat16", 500, True),
        ("float16", 5000, False),  # rounded to the nearest, updates would be lost
    ],
)
def test_how_many_tokens_are_enough(
    monkeypatch: pytest.MonkeyPatch, dtype: str, tokens: int, formed: bool
) -> None:
    monkeypatch.setattr(lora_forward, "WORTH", WORTH)
    made = []
    monkeypatch.setattr(lora_forward, "form_weight", lambda w, *_: made.append(w) or w)
    model = small().to(getattr(torch, dtype))
    with torch.no_grad(), form_updates(model):
        model(torch.ones(tokens, 12, dtype=getattr(torch, dtype)))
    assert bool(made) is formed


@pytest.mark.parametrize("worth", [0.0, math.inf])
def test_updates_of_outputs_are_not_lost(monkeypatch: pytest.MonkeyPatch, worth: float) -> None:
    """Of which PEFT, which adds them to what is rounded already, loses most."""
    monkeypatch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, worth))
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(256, 512, bias=False))
    config = LoraConfig(r=4, lora_alpha=4, target_modules=["0"])
    model: Any = get_peft_model(layer.bfloat16(), config, autocast_adapter_dtype=False)
    module = model.base_model.model[0]
    for part in (module.lora_A, module.lora_B):
        part["default"].float()
        nn.init.normal_(part["default"].weight, std=0.003)
    x = torch.randn(300, 256).bfloat16()
    weight, a, b = (
        w.weight.double() for w in (module.base_layer, module.lora_A.default, module.lora_B.default)
    )
    plain, update = (x.double() @ weight.T).detach(), (x.double() @ (b @ a).T).detach()

    def kept() -> float:
        with torch.no_grad(), disable_input_dtype_casting(model):
            with torch.autocast("cpu", torch.bfloat16):
                found = model(x).double() - plain
        return float((found * update).sum() / update.square().sum())

    assert kept() < 0.8
    with form_updates(model):
        assert kept() == pytest.approx(1, abs=0.1)


def test_an_update_smaller_than_a_step_is_not_lost() -> None:
    """Of bfloat16 weights about 1, whose steps are 1/128, each moved by a tenth of a step."""
    weight = torch.ones(100, 100).bfloat16()
    a, b = torch.full((1, 100), 0.1 / 128), torch.ones(100, 1)
    formed = form_weight(weight, a, b, 1.0, torch.bfloat16)
    assert formed.unique().tolist() == [1.0, 1 + 1 / 128]
    assert float(formed.float().mean() - 1) == pytest.approx(0.1 / 128, rel=0.02)
    assert (weight.float() + b @ a).bfloat16().unique().tolist() == [1.0]  # to the nearest


@given(st.lists(st.floats(width=32, allow_nan=True), min_size=1, max_size=40))
def test_rounding_goes_to_a_neighbor(values: list[float]) -> None:
    exact = torch.tensor(values, dtype=torch.float32)
    rounded = round_evenly(exact)
    for before, after in zip(exact, rounded, strict=True):
        if not before.isfinite():
            assert before.isnan() == after.isnan()
            continue
        nearest = before.bfloat16()
        if nearest.float() == before:
            assert after == before
        elif nearest.isfinite() and after.isfinite():
            step = abs(float(torch.nextafter(nearest.abs(), torch.tensor(torch.inf).bfloat16())))
            assert abs(float(after) - float(before)) <= step - float(nearest.abs()) + 1e-45
