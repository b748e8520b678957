"""Which checkpoint a stage goes on from."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from locvlm.errors import InputError
from locvlm.training.engine.checkpoints import MarkComplete, last_checkpoint, remove_checkpoints

FORM = "processes with a whole model each"


def written(stage: Path, step: int, *, complete: bool = True, form: str = FORM) -> Path:
    folder = stage / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    if complete:
        args, state = SimpleNamespace(output_dir=str(stage)), SimpleNamespace()
        state.global_step, state.is_world_process_zero = step, True
        MarkComplete(form).on_save(args, state, None)
    return folder


def test_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path, FORM) is None
    assert last_checkpoint(tmp_path / "missing", FORM) is None
    remove_checkpoints(tmp_path)


def test_the_last_by_number_that_is_complete(tmp_path: Path) -> None:
    written(tmp_path, 9)
    last = written(tmp_path, 10)
    written(tmp_path, 100, complete=False)
    assert last_checkpoint(tmp_path, FORM) == last


def test_of_another_form(tmp_path: Path) -> None:
    written(tmp_path, 3, form="zero3 in 8 processes")
    with pytest.raises(InputError, match=r"checkpoint-3: written by zero3 in 8 processes, which"):
        last_checkpoint(tmp_path, "zero3 in 4 processes")


def test_a_finished_stage_keeps_its_model_and_log(tmp_path: Path) -> None:
    written(tmp_path, 3)
    written(tmp_path, 5, complete=False)
    (tmp_path / "model").mkdir()
    (tmp_path / "log.jsonl").touch()
    remove_checkpoints(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model", "log.jsonl"}
