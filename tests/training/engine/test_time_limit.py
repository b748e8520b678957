"""When the clock ends a stage."""

from types import SimpleNamespace

import pytest

from locvlm.training.engine import time_limit
from locvlm.training.engine.time_limit import EndInTime, share_time


def steps_of(clock: EndInTime, patch: pytest.MonkeyPatch, a_step: float, most: int) -> int:
    """After how many steps a stage ends, each of which takes so many seconds."""
    time = [0.0]
    patch.setattr(time_limit, "now", lambda: time[0])
    control = SimpleNamespace(should_training_stop=False, should_save=False)
    args = SimpleNamespace(device="cpu")
    clock.on_train_begin(args, None, control)
    for step in range(1, most + 1):
        time[0] += a_step
        clock.on_step_end(args, SimpleNamespace(global_step=step, max_steps=most), control)
        if control.should_training_stop:
            assert control.should_save
            return step
    return most


@pytest.mark.parametrize(
    ("ends", "closing", "steps"),
    [(100, 0, 10), (75, 0, 7), (70, 0, 7), (75, 10, 6), (-5, 0, 1), (1000, 0, 12)],
)
def test_the_last_step_leaves_time_for_the_end(
    monkeypatch: pytest.MonkeyPatch, ends: float, closing: float, steps: int
) -> None:
    clock = EndInTime(ends, lambda: 0.0, lambda _: closing)
    assert steps_of(clock, monkeypatch, 10, 12) == steps
    assert clock.ended is None if steps == 12 else clock.ended == time_limit.Ended(steps, 12)


def test_looks_are_no_time_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    looking = iter([0.0, 0.0, 5.0, 5.0, 5.0, 5.0])  # half of the first step was a look
    clock = EndInTime(44, lambda: next(looking), lambda _: 0.0)
    assert steps_of(clock, monkeypatch, 10, 12) == 4


def test_each_stage_has_a_share_of_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "now", lambda: 100.0)
    assert share_time(140, [30, 10]) == 130
    assert share_time(140, [10]) == 140
