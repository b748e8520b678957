"""A signal ends a run with a checkpoint, from which it goes on as if nothing had been."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train
from tests.interrupting import LIMIT, SHORT, command, interrupt, left

RECIPE = """\
model: {base}
data: [data]
out: out
precision: fp32
lora: {{rank: 2, alpha: 2}}
save_steps: 2
stages: {{a: {{trains: adapter, steps: 5, images: 2, questions: {{category: 1}}}}}}
"""
LOSS = "locvlm.training.engine.trainer:LocTrainer.compute_loss"
ONE = "stages={a: {trains: adapter, steps: 5, images: 2, questions: {category: 1}}}"


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


# In processes of their own, which a second Ctrl-C ends


@pytest.fixture(scope="module")
def folder(small_base: Path, tmp_path_factory: pytest.TempPathFactory, write_data: Any) -> Path:
    """A recipe, its data, and what it becomes if nothing happens."""
    folder: Path = tmp_path_factory.mktemp("stopping")
    write_data(folder)
    (folder / "r.yaml").write_text(RECIPE.format(base=small_base))
    train(folder / "r.yaml", [f"out={folder / 'whole'}"])
    return folder


def same(folder: Path, out: str, *settings: str) -> bool:
    """Whether a run comes to the same weights, if it is gone on with."""
    made = (
        train(folder / "r.yaml", [f"out={folder / out}", *settings]) / "adapter_model.safetensors"
    )
    return made.read_bytes() == (folder / "whole/model/adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_one_in_a_long_step_is_answered_before_its_end(folder: Path, workers: int) -> None:
    out = f"one-{workers}"
    given = ["train", "r.yaml", "--set", f"out={folder / out}", f"workers={workers}"]
    process = command(given, LOSS, folder, call=5, side=SHORT)  # in the third step
    code, said, _ = interrupt(process)
    answer, end = "locvlm: stopping after step 3, with a checkpoint", "locvlm: stopped; the same"
    assert code == 130
    assert said.index(answer) < said.index(end)
    assert (folder / out / "a/checkpoint-3/complete").is_file()
    assert not left(process.pid)
    assert same(folder, out, f"workers={workers}")


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_the_second_in_a_long_step_ends_at_once(folder: Path, workers: int) -> None:
    out = f"two-{workers}"
    given = ["train", "r.yaml", "--set", f"out={folder / out}", f"workers={workers}"]
    process = command(given, LOSS, folder, call=5)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    code, said, seconds = interrupt(process)
    assert code == 130
    assert seconds < LIMIT
    assert "stopping after step 3, with a checkpoint; Ctrl-C again ends it now\n" in said
    assert said.endswith("\nlocvlm: stopped; the same command goes on from here\n")
    assert not left(process.pid)
    assert same(folder, out, f"workers={workers}")


@pytest.mark.parametrize(
    "slow",
    [
        "locvlm.models.load:AutoModelForImageTextToText.from_pretrained",
        "locvlm.training.data.feature_cache:_encode_images",
        "locvlm.training.saving:save_adapter",
    ],
)
def test_outside_of_the_steps_it_ends_soon(folder: Path, slow: str) -> None:
    out = slow.rpartition(":")[2]
    code, said, seconds = interrupt(
        command(["train", "r.yaml", "--set", f"out={folder / out}"], slow, folder)
    )
    assert code == 130
    assert seconds < LIMIT
    assert said.endswith("\nlocvlm: stopped; the same command goes on from here\n")
    assert same(folder, out)


def test_sigterm_is_answered_alike(folder: Path) -> None:
    process = command(
        ["train", "r.yaml", "--set", f"out={folder / 'term'}"], LOSS, folder, call=5, side=SHORT
    )
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopping after step 3, with a checkpoint" in said
    assert (folder / "term/a/checkpoint-3/complete").is_file()
