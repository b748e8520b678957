"""What a stage says of how it is computed, and what it warns of."""

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from peft import LoraConfig, get_peft_model
from torch import nn

from locvlm.training.engine import execution
from locvlm.training.engine.execution import Execution, find_rounded_updates
from locvlm.training.recipe import Recipe, Reinforce, Stage
from locvlm.training.train import train

STAGE = Stage("lora", 1)
ROUNDED = "small ones are lost to rounding; precision: fp32 keeps them"


def tuned(**settings: Any) -> nn.Module:
    config = LoraConfig(r=2, target_modules=["0"], **settings)
    return get_peft_model(nn.Sequential(nn.Linear(4, 4)), config)  # type: ignore[arg-type]


def how(stage: Stage = STAGE, precision: Any = "bf16", **settings: Any) -> Execution:
    recipe = Recipe(data=(), out="", stages={"a": stage}, precision=precision, **settings)
    return Execution(recipe, stage, MagicMock())


def test_nothing_is_lost_by_our_own_passes() -> None:
    assert find_rounded_updates(tuned(), how()) == ""


def test_nothing_is_lost_where_no_updates_are_trained() -> None:
    assert find_rounded_updates(tuned(lora_dropout=0.1), how(Stage("adapter", 1))) == ""
    assert find_rounded_updates(nn.Linear(1, 1), how(Stage("language", 1))) == ""


@pytest.mark.parametrize("settings", [{"lora_dropout": 0.1}, {"use_dora": True}])
def test_layers_that_keep_pefts_passes(settings: dict[str, Any]) -> None:
    said = find_rounded_updates(tuned(**settings), how())
    assert "(layers with dropout or DoRA: 1)" in said
    assert said.endswith(ROUNDED)
    assert find_rounded_updates(tuned(**settings), how(precision="fp32")) == ""
    four_bits = find_rounded_updates(tuned(**settings), how(quantize="4bit"))
    assert "(quantize: 4bit)" in four_bits


def test_reinforce() -> None:
    stage = Stage("lora", 1, questions={"locpred": 1}, reinforce=Reinforce())
    assert "(reinforce)" in find_rounded_updates(tuned(), how(stage))


@pytest.mark.parametrize("kind", ["fsdp2", "zero3"])
def test_a_model_in_pieces(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_rounded_updates(tuned(), how(distributed=kind)) == ""  # one process
    monkeypatch.setattr(execution, "is_sharded", lambda recipe: True)
    assert f"(distributed: {kind})" in find_rounded_updates(tuned(), how(distributed=kind))


@pytest.mark.parametrize("rounded", [True, False])
def test_a_run_says_it_in_one_line(
    small_run: Path,
    rounded: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(execution, "is_sharded", lambda recipe: rounded)
    stages = (
        "stages={a: {trains: adapter, steps: 1, images: 1, questions: {locpred: 1}}, "
        "b: {trains: adapter+lora, steps: 1, images: 1, questions: {locpred: 1}}}"
    )
    train(small_run, [stages, "precision=bf16", "distributed=fsdp2"])
    said = [line for line in capsys.readouterr().err.splitlines() if "warning: low-rank" in line]
    cause = "PEFT's own passes in bf16 (distributed: fsdp2)"
    line = f"b: warning: low-rank updates by {cause}: {ROUNDED}"
    assert said == [line] * rounded
