"""Standardized inputs of the adapter: the same function at first, an ordinary layer at the end."""

import json
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from locvlm.errors import InputError
from locvlm.models.load import load_whole
from locvlm.models.parts import adapter_modules
from locvlm.training import stage_tasks
from locvlm.training.adapters import add_adapter
from locvlm.training.engine.standardization import (
    FLOOR,
    MEASURED_IMAGES,
    WEIGHTS,
    Moments,
    Standardization,
    first_linear,
    measure_moments,
)
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.recipe import LoraSettings
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import check_recipe, train
from tests import families

SIZES = torch.tensor([0.1, 1.0, 5.0, 0.0])  # the last channel never changes
MEANS = torch.tensor([0.5, -20.0, 0.0, 7.0])


def inputs() -> torch.Tensor:
    """(10, 20, 4) values of channels of different size."""
    noise = torch.randn(10, 20, 4, generator=torch.Generator().manual_seed(0))
    return noise * SIZES + MEANS


def layer() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(4, 3)


def measured(linear: nn.Linear, *values: torch.Tensor) -> Moments:
    return measure_moments(linear, [partial(linear, value) for value in values])


# What is measured


def test_the_moments_of_all_passes_together() -> None:
    values = inputs()
    moments = measured(layer(), *values)
    flat = values.flatten(0, 1).double()
    torch.testing.assert_close(moments.mean, flat.mean(0))
    torch.testing.assert_close(moments.deviation[:3], flat.std(0, correction=0)[:3])
    assert str(moments).startswith("4 channels had deviations of 0.0")
    assert str(moments).endswith(", 1 hardly vary")


def test_a_pass_ends_at_the_layer() -> None:
    linear = layer()

    def run() -> None:
        linear(torch.ones(2, 4))
        raise ValueError("went on")

    assert measure_moments(linear, [run]).mean.tolist() == [1, 1, 1, 1]
    assert not linear._forward_pre_hooks
    with pytest.raises(AssertionError, match="no pass has reached the layer"):
        measure_moments(linear, [lambda: None])


def test_a_channel_that_does_not_vary_is_not_blown_up() -> None:
    moments = measured(layer(), *inputs())
    typical = float((moments.deviation[:3].square().sum() / 4).sqrt())
    assert float(moments.deviation[3]) == pytest.approx(FLOOR * typical)


@pytest.mark.parametrize("value", [0.0, 3.3, -1e4])
def test_nothing_varies_at_all(value: float) -> None:
    nothing = measured(layer(), torch.full((7, 4), value), torch.full((5, 4), value))
    assert nothing.deviation.tolist() == [1.0] * 4
    assert nothing.still == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite(value: float) -> None:
    with pytest.raises(InputError, match="inputs are not finite numbers"):
        measured(layer(), torch.full((2, 4), value))


# What it does to a layer


def moments(mean: list[float], deviation: list[float]) -> Moments:
    return Moments(torch.tensor(mean).double(), torch.tensor(deviation).double())


@given(
    mean=st.lists(st.floats(-100, 100), min_size=4, max_size=4),
    deviation=st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4),
)
def test_it_says_what_it_said(mean: list[float], deviation: list[float]) -> None:
    linear = layer()
    values = inputs() / SIZES.clamp_min(1) * torch.tensor(deviation) + torch.tensor(mean)
    before, weight = linear(values), linear.weight.detach().clone()
    large = float(values.abs().max() * weight.abs().max())
    standardization = Standardization(linear)
    with standardization.active():
        standardization.begin(moments(mean, deviation))
        torch.testing.assert_close(linear(values), before, rtol=0, atol=1e-6 * (1 + large))
    torch.testing.assert_close(linear.weight, weight, rtol=1e-6, atol=0)
    torch.testing.assert_close(linear(values), before, rtol=0, atol=1e-6 * (1 + large))


def trained(linear: nn.Linear, steps: int = 30) -> None:
    optimizer = torch.optim.AdamW(linear.parameters(), lr=0.01, weight_decay=0.1)
    goal = torch.randn(10, 20, 3, generator=torch.Generator().manual_seed(2))
    for _ in range(steps):
        optimizer.zero_grad()
        (linear(inputs()) - goal).square().mean().backward()
        optimizer.step()


def test_what_was_learned_is_folded_in() -> None:
    linear = layer()
    standardization, before = Standardization(linear), deepcopy(linear)
    with standardization.active():
        standardization.begin(measured(linear, *inputs()))
        trained(linear)
        live = linear(inputs()).detach()
        bits = [parameter.detach().clone() for parameter in linear.parameters()]
        with standardization.fold_for_saving():
            stock = deepcopy(linear.state_dict())
        assert all(map(torch.equal, linear.parameters(), bits))
    assert linear.state_dict().keys() == before.state_dict().keys()
    assert all(torch.equal(value, stock[name]) for name, value in linear.state_dict().items())
    assert not linear._forward_pre_hooks
    torch.testing.assert_close(linear(inputs()), live, rtol=1e-6, atol=1e-6 * 5)
    assert (live - before(inputs())).abs().max() > 0.1


def test_channels_of_any_size_learn_as_fast() -> None:
    """The same values in other units: what is learned on them does not change."""
    linear, other = layer(), layer()
    scale = torch.tensor([0.1, 1.0, 100.0, 1.0])
    with torch.no_grad():
        other.weight.div_(scale)
    said = []
    for each, values in ((linear, inputs()), (other, inputs() * scale)):
        standardization = Standardization(each)
        with standardization.active():
            flat = values.flatten(0, 1).double()
            standardization.begin(Moments(flat.mean(0), flat.std(0).clamp_min(1e-3)))
            optimizer = torch.optim.AdamW(each.parameters(), lr=0.01)
            for _ in range(10):
                optimizer.zero_grad()
                each(values).square().mean().backward()
                optimizer.step()
        said.append(each(values).detach())
    torch.testing.assert_close(*said, rtol=1e-4, atol=1e-4)


def test_what_is_kept_in_a_checkpoint(tmp_path: Path) -> None:
    one, two = Standardization(layer()), Standardization(nn.Linear(4, 3))
    one.begin(measured(one.linear, *inputs()))
    one.save(tmp_path)
    two.load(tmp_path)
    with one.active(), two.active():
        assert torch.equal(one.linear(inputs()), two.linear(inputs()))


# Where it can be


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_first_layer_of_each_family(family: tuple[str, Any, Any], wrapped: bool) -> None:
    name, model, _ = family
    model = deepcopy(model)
    if wrapped:
        model = add_adapter(model, LoraSettings(rank=2, targets=("all",)))
    refused = {
        "florence_2": "has no bias",
        "gemma3": "no linear layer",
        "gemma4": "has no bias",
        "idefics3": "has no bias",
        "smolvlm": "has no bias",
        "qwen3_vl": "several adapters",
        "t5gemma2": "no linear layer",
    }
    if name in refused:
        with pytest.raises(InputError, match=f"{refused[name]}.*; leave it out"):
            first_linear(model)
    else:
        linear = first_linear(model)
        (outer,) = adapter_modules(model)
        assert any(linear is inner for inner in model.get_submodule(outer).modules())
        assert linear.weight.requires_grad


def test_an_adapter_without_a_linear_layer() -> None:
    model = nn.ModuleDict({"connector": nn.Conv2d(1, 1, 1)})
    with pytest.raises(InputError, match="no linear layer; leave it out"):
        first_linear(model)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("trains: lora, questions: {locpred: 1}", "standardize: the stage does not train the ada"),
        ("trains: language, questions: {locpred: 1}", "standardize: the stage does not train"),
        (
            "trains: adapter, questions: {locpred: 1}, reinforce: {}",
            "standardize: is for answers that are given",
        ),
    ],
)
def test_stages_that_have_no_use_for_it(small_run: Path, settings: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"stages\.a\.{message}"):
        read_recipe(small_run, [f"stages={{a: {{steps: 1, standardize: true, {settings}}}}}"])


def test_a_model_that_cannot_have_it_is_refused_before_it_is_trained(small_run: Path) -> None:
    for part in families.build("idefics3"):
        part.save_pretrained(small_run.parent / "base")
    settings = ("model=./base", "format=nfp", "options={}")
    with pytest.raises(InputError, match=r"stage a: standardize: .*has no bias.*leave it out"):
        run(small_run, "out", *settings)
    assert not Path("out/a").exists()
    recipe = read_recipe(small_run, [*settings, f"stages={{a: {STAGE}}}"])
    with pytest.raises(InputError, match="stage a: standardize"):
        check_recipe(recipe)


def test_spread_weights_are_refused(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_tasks, "is_sharded", lambda recipe: True)
    with pytest.raises(InputError, match="stage a: standardize is not for fsdp2; choose ddp"):
        run(small_run, "out", "distributed=fsdp2")


# Whole runs

STAGE = (
    "{trains: adapter+lora, steps: 6, images: 2, questions: {locpred: 2, revloc: 1}, "
    "learning_rate: 3.0e-3, standardize: true}"
)
PLAIN = "stages.a.standardize=false"


def run(recipe: Path, out: str, *settings: str) -> list[Any]:
    """The lines with a loss of a run of one stage."""
    train(recipe, [f"out={out}", f"stages={{a: {STAGE}}}", *settings])
    lines = Path(out, "a/log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "loss" in row]


@pytest.mark.parametrize(
    "settings",
    [
        [],
        ["cache=false", "layout=padded"],
        ["cache=false", "image_tokens=twin", "augment={crop: true}"],
        ["stages.a.trains=adapter+language"],
    ],
)
def test_the_first_step_is_that_of_a_plain_run_and_what_is_left_is_stock(
    small_run: Path, settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["precision=fp32", "stages.a.steps=2", *settings]
    standardized = run(small_run, "out", *settings)
    assert "a: adapter reads standardized inputs; 64 channels had" in capsys.readouterr().err
    plain = run(small_run, "plain", *settings, PLAIN)
    assert standardized[0]["loss"] == pytest.approx(plain[0]["loss"], abs=1e-4)
    assert standardized[1]["loss"] != pytest.approx(plain[1]["loss"], abs=1e-4)
    assert not list(Path("out").rglob(WEIGHTS))
    folders = [Path(out, "model") for out in ("out", "plain")]
    ours, theirs = ({path.name for path in folder.iterdir()} for folder in folders)
    assert ours == theirs
    (name,) = (name for name in ours if name.endswith(".safetensors"))
    shapes = [{n: v.shape for n, v in load_file(folder / name).items()} for folder in folders]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", ["internvl", "llava_next", "paligemma", "qwen2_vl", "qwen2_5_vl"])
def test_other_families(small_run: Path, name: str) -> None:
    for part in families.build(name):
        part.save_pretrained(small_run.parent / "base")
    settings = ("model=./base", "format=nfp", "options={}", "lora={rank: 2, targets: [all]}")
    settings = (*settings, "precision=fp32", "stages.a.steps=2")
    standardized, plain = run(small_run, "out", *settings), run(small_run, "p", *settings, PLAIN)
    assert standardized[0]["loss"] == pytest.approx(plain[0]["loss"], rel=1e-4)
    assert standardized[1]["loss"] != plain[1]["loss"]


def test_a_stage_that_learns_nothing_leaves_what_it_began_with(small_run: Path) -> None:
    whole = ("stages.a.trains=adapter+language", "precision=fp32", "stages.a.steps=1")
    run(small_run, "out", *whole, "stages.a.learning_rate=0")
    run(small_run, "plain", *whole, "stages.a.learning_rate=0", PLAIN)
    ours, theirs = (load_whole(Path(o, "model"), torch.float32) for o in ("out", "plain"))
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5, msg=name)


def test_naming_learns_from_standardized_inputs(small_run: Path) -> None:
    naming = "stages={a: {trains: naming, steps: 3, images: 2, standardize: true}}"
    settings = (naming, "precision=fp32")
    standardized, plain = run(small_run, "out", *settings), run(small_run, "p", *settings, PLAIN)
    assert standardized[0]["loss"] == pytest.approx(plain[0]["loss"], rel=1e-5)
    assert standardized[-1]["loss"] != plain[-1]["loss"]


@pytest.mark.parametrize("setting", ["batch=2", "gradient_checkpointing=true"])
def test_it_does_not_depend_on(small_run: Path, setting: str) -> None:
    settings = ("precision=fp32", "stages.a.steps=3")
    plain, other = run(small_run, "plain", *settings), run(small_run, "other", *settings, setting)
    for name in ("loss", "grad_norm"):
        assert [row[name] for row in other] == pytest.approx(
            [row[name] for row in plain], rel=1e-3
        ), name


def kill(patch: pytest.MonkeyPatch, call: int) -> None:
    """The run at this call of the loss."""
    step, calls = LocTrainer.compute_loss, 0

    def killed(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    patch.setattr(LocTrainer, "compute_loss", killed)


@pytest.mark.parametrize("trains", ["adapter+lora", "adapter+language"])
def test_a_killed_run_goes_on_to_the_same_weights(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, trains: str
) -> None:
    setting = f"stages.a.trains={trains}"
    whole = run(small_run, "whole", setting)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        kill(patch, 2 * 4 + 1)  # in the fifth step; the last checkpoint is that of the fourth
        run(small_run, "broken", setting)
    checkpoint = Path("broken/a/checkpoint-4")
    assert (checkpoint / WEIGHTS).is_file()
    resumed = run(small_run, "broken", setting)
    for name in ("loss", "grad_norm"):
        assert [row[name] for row in resumed] == [row[name] for row in whole], name
    (file,) = (path.name for path in Path("whole/model").glob("*.safetensors"))
    ours, theirs = (load_file(Path(out, "model", file)) for out in ("broken", "whole"))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


def test_the_model_in_a_checkpoint_is_stock(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        kill(patch, 2 * 2 + 1)
        run(small_run, "out", "stages.a.learning_rate=0")
    found = load_file("out/a/checkpoint-2/adapter_model.safetensors")
    live = load_file(Path("out/a/checkpoint-2", WEIGHTS))
    (name,) = (name for name in found if name.endswith("linear_1.weight"))
    torch.testing.assert_close(found[name], live["weight"] / live["deviation"])
    assert len(found) == 4 + 2 * 2 * 5  # the adapter, and of 2 layers' 5 targets A and B


def test_it_is_measured_on_the_first_visits(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    visited = LocTrainer._run_visit

    def noted(self: Any, number: int) -> None:
        seen.append(number)
        visited(self, number)

    monkeypatch.setattr(LocTrainer, "_run_visit", noted)
    run(small_run, "out", "stages.a.steps=1")
    assert seen == [0, 1]
    seen.clear()
    run(small_run, "more", f"stages.a.steps={MEASURED_IMAGES // 2 + 1}", "save_steps=100")
    assert seen == [*range(MEASURED_IMAGES)]
