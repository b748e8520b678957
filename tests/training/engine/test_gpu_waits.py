"""A step asks the model for no number: on a GPU, each such question would empty its queue."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import TrainerCallback

from locvlm.compat.placeholder_mask import count_placeholders_once
from locvlm.training.engine import execution
from locvlm.training.engine.finite import CheckFinite
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train

aten = torch.ops.aten
# What cannot be answered before everything before it has been computed
WAITS = (
    aten._local_scalar_dense,
    aten.equal,
    aten.is_nonzero,
    aten.masked_select,
    aten.nonzero,
    aten._unique2,
)


class Asked(TorchDispatchMode):
    """Counts them while a step lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.during = False
        self.found: Counter[str] = Counter()
        self.passes = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        places = args[1] if function is aten.index.Tensor else ()
        by_mask = any(place is not None and place.dtype == torch.bool for place in places)
        if self.during and (function._overloadpacket in WAITS or by_mask):
            self.found[str(function)] += 1
        self.passes += self.during and function is aten.masked_scatter.default
        return function(*args, **(kwargs or {}))


class Between(TrainerCallback):
    """Counts between the forward pass and the last word of a step."""

    def __init__(self, asked: Asked):
        self.asked = asked

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # AdamW's own state is made in the first step
        self.asked.during = state.global_step > 0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.asked.during = False


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU is spared and a CPU is not."""
    monkeypatch.setattr(CheckFinite, "on_pre_optimizer_step", lambda *_, **__: None)
    monkeypatch.setattr(execution, "choose_method", lambda *_, **__: "sdpa")


@pytest.mark.parametrize(
    "setting",
    [
        "batch=1",
        "batch=2",
        "cache=false",
        "stages.locations.readout=1",
        "stages.locations.standardize=true",
    ],
)
def test_nothing_is_waited_for(
    small_run: Path, as_on_a_gpu: None, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    asked = Asked()
    trained: Callable[..., Any] = LocTrainer.train

    def watched(self: LocTrainer, *args: Any, **kwargs: Any) -> Any:
        self.add_callback(Between(asked))
        with asked, count_placeholders_once(self.model.get_base_model()):
            return trained(self, *args, **kwargs)

    monkeypatch.setattr(LocTrainer, "train", watched)
    stage = "{trains: adapter+lora, steps: 4, images: 2, questions: {locpred: 2, revloc: 2}}"
    train(small_run, [f"stages={{locations: {stage}}}", "save_steps=100", setting])
    assert asked.passes > 2
    assert not asked.found
