"""Trackers by name; what is missing is said before a run begins."""

from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.training.engine import trackers
from locvlm.training.train import train

SHORT = "stages={a: {trains: adapter, steps: 2, images: 1, questions: {category: 1}}}"


def test_none_is_fine() -> None:
    trackers.check_trackers(())


def test_unknown(small_run: Path) -> None:
    with pytest.raises(InputError, match=r"report_to: 'clearml' is none of trackio, wandb, tens"):
        train(small_run, ["report_to=[clearml]"])
    assert not Path("out").exists()


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None if name == "wandb" else name)
    trackers.check_trackers(["trackio"])
    with pytest.raises(InputError, match="wandb is not installed; pip install wandb, or take"):
        trackers.check_trackers(["trackio", "wandb"])


def test_tensorboard_is_told_every_loss(small_run: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(small_run, [SHORT, "report_to=[tensorboard]"])
    [file] = Path("out/a").rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    assert [event.step for event in events.Scalars("train/answer_loss")] == [1, 2]
    assert Path("out/a/log.jsonl").exists()
    assert Path("out/loss.png").exists()
