"""A signal ends a run with a checkpoint, from which it goes on as if nothing had been."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.training.train import train
from locvlm.training.trainer import LocTrainer

ONE = "stages={a: {trains: adapter, steps: 5, pictures: 2, questions: {category: 1}}}"


def signalled(patch: pytest.MonkeyPatch, number: signal.Signals, calls: tuple[int, ...]) -> None:
    """The process gets a signal in these calls of the loss, from 1."""
    loss, count = LocTrainer.compute_loss, 0

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count in calls:
            os.kill(os.getpid(), number)
        return loss(self, *args, **kwargs)

    patch.setattr(LocTrainer, "compute_loss", interrupted)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("call", "step"), [(1, 1), (5, 3), (10, 5)])
def test_a_signal(small_run: Path, number: signal.Signals, call: int, step: int) -> None:
    settings = [ONE, "save_steps=100"]
    whole = train(small_run, [*settings, "out=whole"])
    handler = signal.getsignal(number)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        signalled(patch, number, (call,))
        train(small_run, [*settings, "out=stopped"])
    assert signal.getsignal(number) == handler
    assert Path(f"stopped/a/checkpoint-{step}/complete").is_file()
    resumed = train(small_run, [*settings, "out=stopped"])
    theirs = load_file(whole / "adapter_model.safetensors")
    for name, value in load_file(resumed / "adapter_model.safetensors").items():
        assert torch.equal(value, theirs[name]), name


def test_a_second_signal_does_not_wait_for_the_step(small_run: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        signalled(patch, signal.SIGINT, (3, 4))
        train(small_run, [ONE, "save_steps=100"])
    assert not list(Path("out/a").glob("checkpoint-*"))
