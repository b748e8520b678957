"""What a run computes with: said once, kept, and trained in with float32 masters."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.errors import InputError
from locvlm.runtime import precision
from locvlm.training.engine import arithmetic
from locvlm.training.engine.arithmetic import ARITHMETIC_FILE, announce_arithmetic, should_compile
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.recipe import Recipe
from locvlm.training.train import train

ONE = "stages={a: {trains: adapter+lora, steps: 4, images: 2, questions: {category: 1}}}"
WHOLE = "stages={a: {trains: adapter+language, steps: 2, images: 2, questions: {category: 1}}}"


def recipe(**settings: Any) -> Recipe:
    return Recipe(data=(), out="", stages={}, **settings)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_it_is_said_once_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], precision: str
) -> None:
    announce_arithmetic(recipe(precision=precision), tmp_path)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f": {precision}, as precision says" in said
    assert "; not compiled\n" in said
    assert json.loads((tmp_path / ARITHMETIC_FILE).read_text())["precision"] == precision


def test_going_on_in_another_precision_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, told in (("fp32", False), ("bf16", True), ("bf16", False)):
        monkeypatch.setenv(precision.VARIABLE, name)
        announce_arithmetic(recipe(), tmp_path)
        said = capsys.readouterr().err
        assert f": {name}, as LOCVLM_PRECISION says" in said
        assert ("(so far this run was in fp32, on " in said) is told
    (tmp_path / ARITHMETIC_FILE).write_bytes(b"")  # a kill
    announce_arithmetic(recipe(), tmp_path)


def test_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert should_compile(True)
    assert not should_compile(False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not should_compile("auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for found in (None, object()):
        monkeypatch.setattr(arithmetic, "find_spec", lambda _, found=found: found)
        assert should_compile("auto") is (found is not None)


@pytest.mark.parametrize("native", ["bf16", "fp32"])
def test_a_run_is_saved_alike_on_any_computer(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, native: str
) -> None:
    monkeypatch.setenv(precision.VARIABLE, native)
    model = train(small_run, [WHOLE])
    assert {tensor.dtype for tensor in _floats(model)} == {torch.bfloat16}
    assert json.loads(Path("out", ARITHMETIC_FILE).read_text())["precision"] == native


def test_what_is_asked_for_is_saved(small_run: Path) -> None:
    model = train(small_run, [WHOLE, "precision=fp32"])
    assert {tensor.dtype for tensor in _floats(model)} == {torch.float32}


def _floats(folder: Path) -> list[torch.Tensor]:
    return [t for t in load_file(folder / "model.safetensors").values() if t.is_floating_point()]


def test_an_impossible_precision_claims_no_folder(small_run: Path) -> None:
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        train(small_run, ["precision=fp16"])
    assert not Path("out").exists()


def test_half_precision_scales_the_loss(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU without bf16: Accelerate wants one, so its CPU twin is put in by hand."""
    half = precision.Precision("fp16", "T4", "pretended")
    for name in ("start", "engine.training_arguments"):
        module = sys.modules[f"locvlm.training.{name}"]
        monkeypatch.setattr(module, "choose_precision", lambda _: half)
    scales, kinds = [], set()
    postprocess, loss = LocTrainer.create_accelerator_and_postprocess, LocTrainer.compute_loss

    def scaled(self: Any) -> None:
        self.args.mixed_precision = "no"
        postprocess(self)
        self.accelerator.state._mixed_precision = "fp16"
        self.accelerator.native_amp = True
        self.accelerator.scaler = torch.amp.GradScaler("cpu", growth_interval=2)

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        scales.append(self.accelerator.scaler.get_scale())
        trained = {p.dtype for p in self.model.parameters() if p.requires_grad}
        frozen = {p.dtype for p in self.model.parameters() if not p.requires_grad}
        kinds.add((*trained, *frozen))
        if len(scales) == 3:  # a step whose gradients are too large for fp16 is left out
            next(p for p in self.model.parameters() if p.requires_grad).register_hook(
                lambda gradient: gradient * torch.inf if len(scales) in (3, 4) else gradient
            )
        return loss(self, *args, **kwargs)

    monkeypatch.setattr(LocTrainer, "create_accelerator_and_postprocess", scaled)
    monkeypatch.setattr(LocTrainer, "compute_loss", watched)
    model = train(small_run, [ONE, "save_steps=2"])
    assert kinds == {(torch.float32, torch.float16)}
    assert scales[0] == 2.0**16
    assert scales[4] == scales[2] / 2  # after the step that was left out
    for tensor in load_file(model / "adapter_model.safetensors").values():
        assert tensor.isfinite().all()


@pytest.mark.parametrize("native", ["bf16", "fp32"])
def test_a_loss_that_is_no_number_ends_the_run(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, native: str
) -> None:
    monkeypatch.setenv(precision.VARIABLE, native)
    with pytest.raises(InputError, match=r"out/a: the loss of step \d is nan; lower the learning"):
        train(small_run, [ONE, "stages.a.learning_rate=1e9", "stages.a.warmup=0"])
