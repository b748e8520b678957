"""The bar of a stage, without a trainer."""

import io
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from locvlm.training.engine import progress_bar
from locvlm.training.engine.progress_bar import StageProgressBar

ARGS = SimpleNamespace(gradient_accumulation_steps=4)


def state(step: int) -> SimpleNamespace:
    return SimpleNamespace(global_step=step, max_steps=10, is_world_process_zero=True)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a file would get."""
    file = io.StringIO()
    plain = progress_bar.tqdm
    monkeypatch.setattr(
        progress_bar, "tqdm", lambda **given: plain(file=file, mininterval=0, ascii=True, **given)
    )
    return file


def begun(step: int) -> Any:
    progress = StageProgressBar()
    progress.on_train_begin(ARGS, state(step), None)
    return progress


def test_it_is_there_from_the_start_and_moves_within_a_step(shown: io.StringIO) -> None:
    progress = begun(0)
    assert "0/10" in shown.getvalue()
    for step in (1, 2):
        progress.on_step_begin(ARGS, state(step - 1), None)
        for _ in range(3):
            progress.on_substep_end(ARGS, state(step - 1), None)
        progress.on_step_end(ARGS, state(step), None)
    progress.on_log(ARGS, state(2), None, {"loss": 1.5})
    progress.on_log(ARGS, state(2), None, {"train_loss": 1.5})
    progress.on_train_end(ARGS, state(2), None)
    said = shown.getvalue()
    assert said.index("pass=1/4") < said.index("pass=3/4") < said.index("2/10")
    assert "loss=1.500" in said
    assert "pass=4/4" not in said  # the step is done then


def test_steps_of_another_day_are_no_speed(shown: io.StringIO) -> None:
    progress = begun(8)
    assert progress.training_bar.n == 8
    time.sleep(0.1)
    progress.on_step_end(ARGS, state(9), None)
    figures = progress.training_bar.format_dict
    assert (figures["n"], figures["initial"]) == (9, 8)
    progress.close()
    progress.close()  # also where an error has ended the training
    assert "9/10" in shown.getvalue()


def test_a_terminal_sees_the_time_go_on(
    shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    progress = begun(0)
    before = shown.getvalue()
    time.sleep(1.3)
    assert len(shown.getvalue()) > len(before)
    progress.close()


def test_other_processes_have_none() -> None:
    progress = StageProgressBar()
    other = SimpleNamespace(global_step=0, max_steps=10, is_world_process_zero=False)
    progress.on_train_begin(ARGS, other, None)
    progress.on_substep_end(ARGS, other, None)
    progress.on_step_end(ARGS, other, None)
    progress.on_log(ARGS, other, None, {"loss": 1.0})
    progress.on_train_end(ARGS, other, None)
    assert progress.training_bar is None
