"""The Trainer's settings, its sampler and its log."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from locvlm.training.engine.json_lines import JsonLines
from locvlm.training.engine.training_arguments import build_arguments
from locvlm.training.recipe import Recipe, Stage


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def state(step: int) -> SimpleNamespace:
    return SimpleNamespace(global_step=step, is_world_process_zero=True)


def recipe(**settings: Any) -> Recipe:
    return Recipe(data=(), out="", stages={}, **settings)


def test_a_log_is_cut_to_the_checkpoint_it_goes_on_from(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = JsonLines(path)
    log.on_train_begin(None, state(0), None)  # nothing there yet
    for step in (10, 20, 30):
        log.on_log(None, state(step), None, {"loss": 1.0})
    log.on_train_begin(None, state(20), None)
    assert steps(path) == [10, 20]
    log.on_log(None, state(30), None, {"loss": 0.5})
    assert steps(path) == [10, 20, 30]
    assert json.loads(path.read_text().splitlines()[-1])["loss"] == 0.5


def test_a_run_from_the_start_begins_a_new_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    JsonLines(path).on_log(None, state(10), None, {"loss": 1.0})
    JsonLines(path).on_train_begin(None, state(0), None)
    assert path.read_text() == ""


@pytest.mark.parametrize(
    ("trains", "batch", "accumulated"), [("naming", 16, 1), ("adapter", 1, 16)]
)
def test_pictures_per_step(tmp_path: Path, trains: str, batch: int, accumulated: int) -> None:
    stage = Stage(trains, 100, images=16)
    settings = build_arguments(stage, tmp_path, recipe(save_steps=5, seed=3))
    assert settings.per_device_train_batch_size == batch
    assert settings.gradient_accumulation_steps == accumulated
    assert (settings.max_steps, settings.save_steps, settings.seed) == (100, 5, 3)


def test_the_shortest_stage_has_a_schedule(tmp_path: Path) -> None:
    settings = build_arguments(Stage("adapter", 1), tmp_path, recipe())
    assert settings.warmup_steps == 0  # nor is there time to warm up
    assert settings.lr_scheduler_kwargs == {"num_decay_steps": 1, "min_lr_ratio": 0.1}
    assert settings.logging_steps == 1
