import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from locvlm.errors import InputError
from locvlm.training.engine.finite import CheckFinite, find_divergence
from locvlm.training.train import train
from tests.training.engine.test_arithmetic import ONE

STATE = SimpleNamespace(global_step=7)


def arguments(folder: Path, *, fp16: bool = False) -> Any:
    return SimpleNamespace(output_dir=str(folder), fp16=fp16, device=torch.device("cpu"))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_broken_weight(tmp_path: Path, number: float) -> None:
    model = nn.Linear(2, 2)
    CheckFinite.check_weights(arguments(tmp_path), STATE, model)
    with torch.no_grad():
        model.weight[1, 1] = number
    with pytest.raises(InputError, match="after step 7 weight is not finite; lower the learning"):
        CheckFinite().on_save(arguments(tmp_path), STATE, None, model=model)
    model.weight.requires_grad_(False)  # not what broke here
    CheckFinite.check_weights(arguments(tmp_path), STATE, model)


def test_the_last_good_checkpoint_is_named(tmp_path: Path) -> None:
    for step in (2, 4, 6):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if step < 6:
            (tmp_path / f"checkpoint-{step}/complete").write_text("one")
    check = CheckFinite()
    check.losses = [torch.tensor(1.0), torch.tensor(math.nan)]
    with pytest.raises(InputError, match="the loss of step 7 is nan.*checkpoint is checkpoint-4"):
        check.check(arguments(tmp_path), STATE, 7)


@pytest.mark.parametrize("name", ["loss", "grad_norm"])
def test_figures_of_other_trainers(tmp_path: Path, name: str) -> None:
    check = CheckFinite()
    check.on_log(arguments(tmp_path), STATE, None, logs=None)
    check.on_log(arguments(tmp_path), STATE, None, logs={name: 1.0, "reward": math.nan})
    check.on_log(arguments(tmp_path, fp16=True), STATE, None, logs={name: math.inf})
    with pytest.raises(InputError, match=f"the {name} of step 7 is inf"):
        check.on_log(arguments(tmp_path), STATE, None, logs={name: math.inf})


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([], False),
        ([2.0], False),
        ([2.0, 1.5, 1.0, 1.2], False),
        ([2.0, 1.5, 2.9, 2.8, 2.9], False),  # noise
        ([2.0, 9.0, 8.0, 8.0], True),
        ([40.0, 39.0, 41.0], True),  # dead within the first entry
        ([6.8, 6.6, 6.7], True),
    ],
)
def test_a_loss_that_ends_worse_than_it_began(
    tmp_path: Path, losses: list[float], said: bool
) -> None:
    log = tmp_path / "log.jsonl"
    rows = [{"step": step, "loss": loss} for step, loss in enumerate(losses)]
    log.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"train_runtime": 1.0}]))
    assert bool(find_divergence(log, vocabulary=1000)) is said


def test_a_run_that_diverges_says_so(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(small_run, [ONE, "stages.a.learning_rate=1e5", "stages.a.warmup=0"])
    assert "a: warning: the loss began at" in capsys.readouterr().err


def test_the_last_update_has_no_loss_after_it(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_weights(self: Any, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        if state.global_step == state.max_steps:
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).fill_(math.nan)

    monkeypatch.setattr(CheckFinite, "on_step_end", break_weights)
    with pytest.raises(InputError, match="is not finite; lower the learning rate"):
        train(small_run, [ONE])
