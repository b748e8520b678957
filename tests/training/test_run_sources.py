"""Data and models that are replaced under the same name, under a run that was begun or is done."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.errors import InputError
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.io.folder_lock import LOCK, hold_folder
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.run_sources import SOURCES
from locvlm.training.train import train

STAGE = "stages={a: {trains: adapter+lora, steps: 4, images: 2, questions: {locpred: 2}}}"
Stop = Callable[[], None]


@pytest.fixture
def begin(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Trains until a checkpoint is written, and is killed."""

    def begin(*given: str) -> None:
        step, calls = LocTrainer.compute_loss, []

        def killed(self: LocTrainer, *args: Any, **kwargs: Any) -> Any:
            calls.append(1)
            if len(calls) > 2 * 2:
                raise KeyboardInterrupt
            return step(self, *args, **kwargs)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(LocTrainer, "compute_loss", killed)
            train(small_run, [STAGE, *given])
        assert Path("out/a/checkpoint-2/complete").exists()

    return begin


def rebuild(
    folder: Path, objectives: tuple[str, ...] = ("locpred", "category"), **how: Any
) -> None:
    options = BuildOptions(questions=QuestionOptions(objectives=objectives, **how))
    build_from_files(folder / "instances.json", folder / "images", folder / "data", options)


def test_data_built_anew_under_a_begun_run(small_run: Path, begin: Callable[..., None]) -> None:
    begin()
    assert not Path("out", LOCK).exists()
    shutil.copytree(small_run.parent / "data", small_run.parent / "before")
    rebuild(small_run.parent)
    with pytest.raises(
        InputError,
        match=r"out: since this run was begun, .*data was built anew \(revloc \d+ then, 0 now\); "
        "put back what was there, or choose another out",
    ):
        train(small_run, [STAGE])
    rebuild(small_run.parent, ("locpred", "revloc", "category"), seed=1)
    with pytest.raises(InputError, match="as many questions, but others"):
        train(small_run, [STAGE])
    shutil.rmtree(small_run.parent / "data")
    (small_run.parent / "before").rename(small_run.parent / "data")
    train(small_run, [STAGE])


def test_the_same_built_again_goes_on(small_run: Path, begin: Callable[..., None]) -> None:
    begin()
    source = small_run.parent / "instances.json"
    source.write_text(json.dumps(json.loads(source.read_text()), indent=1))
    rebuild(small_run.parent, ("locpred", "revloc", "category"))
    train(small_run, [STAGE])


def test_a_begun_run_goes_on_with_data_that_were_moved(
    small_run: Path, begin: Callable[..., None]
) -> None:
    begin()
    (small_run.parent / "data").rename(small_run.parent / "elsewhere")
    train(small_run, [STAGE, "data=[elsewhere]"])


def test_data_built_anew_under_a_finished_run(small_run: Path, capfd: Any) -> None:
    before = load_file(train(small_run, [STAGE]) / "adapter_model.safetensors")
    rebuild(small_run.parent)
    after = train(small_run, [STAGE])
    assert "was built anew" in (said := capfd.readouterr().err)
    assert "its model is of before: choose another out" in said
    assert load_file(after / "adapter_model.safetensors").keys() == before.keys()


def test_a_run_of_an_older_version(small_run: Path, begin: Callable[..., None]) -> None:
    begin()
    Path("out", SOURCES).unlink()
    train(small_run, [STAGE])
    assert Path("out", SOURCES).exists()


def test_a_model_replaced_under_a_begun_run(
    small_run: Path, small_base: Path, begin: Callable[..., None]
) -> None:
    base = small_run.parent / "base"
    shutil.copytree(small_base, base)
    begin("model=./base")
    with (base / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\1")
    with pytest.raises(InputError, match="model: its folder holds other weights or settings; put"):
        train(small_run, [STAGE, "model=./base"])


def test_two_at_once(small_run: Path) -> None:
    with (
        hold_folder(Path("out"), "trains"),
        pytest.raises(InputError, match="out: process .* tr"),
    ):
        train(small_run, [STAGE])
    train(small_run, [STAGE])


def test_an_out_that_cannot_be(small_run: Path) -> None:
    with pytest.raises(InputError, match=r"small\.yaml/run: no folder can be made there"):
        train(small_run, [STAGE, "out=small.yaml/run"])


def test_a_disk_that_is_full(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the second checkpoint; the run goes on from the first."""
    save, calls = torch.save, []

    def full(value: Any, file: Any, *args: Any, **kwargs: Any) -> None:
        calls.append(Path(file))
        save(value, "/dev/full" if "checkpoint-4" in str(file) else file, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(InputError, match=r"checkpoint-4: cannot be written .*checkpoint-2"):
            train(small_run, [STAGE])
    assert calls
    assert [path.name for path in Path("out/a").glob("checkpoint-*")] == ["checkpoint-2"]
    train(small_run, [STAGE])


def test_a_checkpoint_that_is_damaged(
    small_run: Path, begin: Callable[..., None], capfd: Any
) -> None:
    begin("save_steps=1")
    (path,) = Path("out/a/checkpoint-2").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    train(small_run, [STAGE])
    assert "goes on from checkpoint-1" in capfd.readouterr().err
    assert not list(Path("out/a").glob("*checkpoint*"))
