"""Which checkpoint a stage goes on from."""

import errno
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from locvlm.errors import InputError
from locvlm.training.engine.checkpoints import (
    MarkComplete,
    explain_write_errors,
    find_damage,
    last_checkpoint,
    remove_checkpoints,
)

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


def filled(stage: Path, step: int) -> Path:
    """With the kinds of files that a checkpoint holds."""
    folder = written(stage, step, complete=False)
    save_file({"a": torch.ones(9)}, folder / "adapter_model.safetensors")
    torch.save({"a": torch.ones(9)}, folder / "optimizer.pt")
    (folder / "trainer_state.json").write_text('{"loss": NaN}')
    (folder / "shards").mkdir()
    (folder / "shards/0.distcp").write_bytes(b"1234")
    args, state = SimpleNamespace(output_dir=str(stage)), SimpleNamespace()
    state.global_step, state.is_world_process_zero = step, True
    MarkComplete(FORM).on_save(args, state, None)
    return folder


FILES = ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json", "shards/0.distcp")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["cut", "gone", "other bytes"])
def test_a_damaged_one_is_put_aside(tmp_path: Path, capfd: Any, name: str, how: str) -> None:
    good, bad = filled(tmp_path, 2), filled(tmp_path, 4)
    assert last_checkpoint(tmp_path, FORM) == bad
    path = bad / name
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.write_bytes(b"\xff" * path.stat().st_size)
    assert last_checkpoint(tmp_path, FORM) == good
    said = capfd.readouterr().err
    assert f"warning: {bad} is damaged ({name}" in said
    assert "goes on from checkpoint-2" in said
    assert (tmp_path / "damaged-checkpoint-4").is_dir()
    remove_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_byte_within_a_file_of_pytorch(tmp_path: Path) -> None:
    """Which keeps checksums."""
    path = filled(tmp_path, 4) / "optimizer.pt"
    data = bytearray(path.read_bytes())
    data[data.index(torch.ones(9).numpy().tobytes())] ^= 1
    path.write_bytes(data)
    assert "optimizer.pt has a wrong checksum" in find_damage(path.parent)


def test_a_byte_within_a_tensor_of_safetensors(tmp_path: Path) -> None:
    """Which keep none; of older checkpoints nobody knows."""
    path = filled(tmp_path, 4) / "adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert "adapter_model.safetensors has a wrong checksum" in find_damage(path.parent)
    marks = path.parent / "complete"
    marks.write_text(re.sub(r":\w{8} ", " ", marks.read_text()))
    assert find_damage(path.parent) == ""


def test_a_damaged_one_without_one_before_it(tmp_path: Path) -> None:
    path = filled(tmp_path, 4) / "optimizer.pt"
    path.write_bytes(b"")
    with pytest.raises(
        InputError, match=r"checkpoint-4: is damaged \(optimizer\.pt has 0 bytes of .*remove the fo"
    ):
        last_checkpoint(tmp_path, FORM)


@pytest.mark.parametrize("call", ["torch", "safetensors", "plain"])
def test_a_full_disk(tmp_path: Path, call: str) -> None:
    """Half a checkpoint goes, and the one before stays."""
    filled(tmp_path, 2)
    folder = tmp_path / "checkpoint-4"
    folder.mkdir()
    with (
        pytest.raises(
            InputError,
            match=r"checkpoint-4: cannot be written \(.*GB are free there\); make room and give "
            "the same command again, which goes on from checkpoint-2",
        ) as caught,
        explain_write_errors(folder),
    ):
        (folder / "half").touch()
        if call == "plain":
            raise OSError(errno.ENOSPC, "No space left on device")
        if call == "torch":
            torch.save({"a": torch.ones(9)}, "/dev/full")
        save_file({"a": torch.ones(9)}, "/dev/full/a")
    assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]


def test_a_full_disk_while_a_folder_is_copied(tmp_path: Path) -> None:
    reason = "[Errno 28] No space left on device"
    with (
        pytest.raises(InputError, match=r"model\.new: cannot be written \(\[Errno 28\] No space"),
        explain_write_errors(tmp_path / "model.new", "copies it there"),
    ):
        raise shutil.Error([("a", "b", reason), ("c", "d", reason)])


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shapes"), explain_write_errors(tmp_path / "a"):
        raise RuntimeError("shapes")
