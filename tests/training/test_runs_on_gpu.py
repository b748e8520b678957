"""What a GPU does otherwise than a CPU: kernels, compiled layers, no waiting, the scaled loss.

Every test runs on a CPU too, as far as one can follow: FlexAttention by PyTorch's plain operations,
compiled layers traced without new code for them, the scaled loss by bfloat16.

    pytest tests/training/test_runs_on_gpu.py
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn.attention import flex_attention as flex
from transformers import TrainerCallback
from transformers.integrations import flex_attention as integration

from locvlm.training.data.packing import Method, Packing
from locvlm.training.engine import block_attention, execution, lora_forward
from locvlm.training.engine.compiling import SHAPES, compile_layers
from locvlm.training.engine.lora_forward import WORTH, form_weight, round_evenly
from locvlm.training.engine.throughput import peak_of
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.train import train

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=gpu)]
ON_GPU = torch.cuda.is_available()
# Three rows of 256 tokens, with other questions of the same pictures
ROWS = [(130, [40, 7, 3]), (90, [30, 1, 90, 2]), (1, [1])]
OTHERS = [(130, [9, 9]), (90, [150]), (1, [1, 1, 1])]
TOTAL, SIZE, SCALE = 256, 64, 0.125
STAGE = "{trains: adapter+lora, steps: 6, images: 2, questions: {locpred: 2, revloc: 2}}"


@pytest.fixture
def flexes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU lets FlexAttention learn, which its kernels there cannot."""
    if not ON_GPU:
        monkeypatch.setattr(flex, "_validate_device", lambda *_: None)
        monkeypatch.setattr(integration, "compile_friendly_flex_attention", _plainly)


def _plainly(*heads: torch.Tensor, training: bool = False, **settings: Any) -> Any:
    return flex.flex_attention(*heads, **settings)


# Attention


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("heads", [(8, 2), (9, 3), (4, 4)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-2), ("bfloat16", 3e-2)])
def test_flex_attention_is_that_of_rows(
    flexes: None,
    device: str,
    compiled: bool,
    heads: tuple[int, int],
    dtype: str,
    tolerance: float,
) -> None:
    """Values and gradients; float32 products of a GPU may be of TF32."""
    torch._dynamo.reset()
    counters.clear()
    attend: Any = block_attention.block_attention
    if compiled:
        backend = "inductor" if device == "cuda" else "aot_eager"
        attend = torch.compile(attend, dynamic=False, fullgraph=True, backend=backend)
    kind = getattr(torch, dtype)
    for rows in (ROWS, OTHERS):
        ours = _attended(attend, rows, heads, "flex", device, kind)
        exact = _attended(block_attention.block_attention, rows, heads, "rows", "cpu", torch.float)
        for mine, right in zip(ours, exact, strict=True):
            assert mine.isfinite().all()
            wrong = (mine.float().cpu() - right).abs().max()
            assert wrong < tolerance * right.abs().max()
    if compiled:  # other questions are no other shape
        assert counters["stats"]["unique_graphs"] == 1


def _attended(
    attend: Callable[..., Any],
    rows: list[tuple[int, list[int]]],
    heads: tuple[int, int],
    method: Method,
    device: str,
    dtype: torch.dtype,
) -> list[torch.Tensor]:
    """What comes out, and the gradients of query, key and value; padding is nobody's."""
    packing = Packing.of(*zip(*rows, strict=True), TOTAL, method).to(device)
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(len(rows), count, TOTAL, SIZE, generator=generator)
        .bfloat16()  # the same numbers in any of the types
        .to(device, dtype)
        .requires_grad_()
        for count in (heads[0], heads[1], heads[1])
    ]
    out, _ = attend(torch.nn.Module(), *inputs, None, SCALE, packing)
    used = (packing.segments >= 0)[:, :, None, None]
    out = out * used
    return [out, *torch.autograd.grad(out.float().square().sum(), inputs)]


# Formed updates


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("compiled", [False, True])
def test_rounding_is_the_same_on_any_device(device: str, compiled: bool) -> None:
    torch._dynamo.reset()
    generator = torch.Generator().manual_seed(0)
    exact = torch.randn(300, 200, generator=generator)
    call: Any = round_evenly
    if compiled:
        backend = "inductor" if device == "cuda" else "aot_eager"
        call = torch.compile(call, dynamic=False, fullgraph=True, backend=backend)
    assert torch.equal(call(exact.to(device)).cpu(), round_evenly(exact))


@pytest.mark.parametrize("device", DEVICES)
def test_small_updates_are_formed(device: str) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(256, 512, generator=generator).bfloat16().to(device)
    a = (1e-3 * torch.randn(8, 512, generator=generator)).to(device)
    b = (1e-3 * torch.randn(256, 8, generator=generator)).to(device)
    formed = form_weight(weight, a, b, 1.0, torch.bfloat16).float() - weight.float()
    exact = (b.double() @ a.double()).float()
    # each is up to a step off; over all of a random direction they add up to what is meant
    toward = (formed * exact).sum() / exact.square().sum()
    nearest = ((weight.float() + exact).bfloat16().float() - weight.float()) * exact
    assert float(toward) == pytest.approx(1, abs=0.3)
    assert float(nearest.sum() / exact.square().sum()) < float(toward)


# Whole runs


def _learned(
    monkeypatch: pytest.MonkeyPatch, method: Method, settings: list[str], *, compiled: bool
) -> list[dict[str, Any]]:
    """The log of a short run with updates that are formed."""
    monkeypatch.setattr(execution, "choose_method", lambda *_, **__: method)
    monkeypatch.setattr(lora_forward, "WORTH", dict.fromkeys(WORTH, 0.0))
    if not ON_GPU:
        traced = partial(compile_layers, backend="aot_eager")
        monkeypatch.setattr(execution, "compile_layers", traced)
    out = f"{method}-{compiled}-{len(settings)}"
    compiling = f"compile={str(compiled).lower()}"
    train(Path("small.yaml"), [f"stages={{a: {STAGE}}}", f"out={out}", compiling, *settings])
    lines = (Path(out) / "a" / "log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "loss" in row]


def test_a_compiled_run_with_flex_attention_learns_what_rows_do(
    small_run: Path, flexes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch._dynamo.reset()
    plain = _learned(monkeypatch, "rows", ["precision=fp32", "batch=2"], compiled=False)
    counters.clear()
    ours = _learned(monkeypatch, "flex", ["precision=fp32", "batch=2"], compiled=True)
    assert len(ours) == len(plain) == 6
    near = 2e-2 if ON_GPU else 1e-4  # TF32
    for mine, other in zip(ours, plain, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=near)
        assert mine["grad_norm"] == pytest.approx(other["grad_norm"], rel=5 * near)
    # of the layers, one per length; of the mask and what surrounds the layers, none
    assert 1 <= counters["stats"]["unique_graphs"] <= SHAPES
    assert not counters["graph_break"]


@pytest.mark.parametrize("precision", ["bf16", pytest.param("fp16", marks=gpu)])
def test_half_precision_learns_what_float32_does(
    small_run: Path, flexes: None, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    scalers = []
    trained: Callable[..., Any] = LocTrainer.train

    def watched(self: LocTrainer, *args: Any, **kwargs: Any) -> Any:
        scalers.append(self.accelerator.scaler)
        return trained(self, *args, **kwargs)

    monkeypatch.setattr(LocTrainer, "train", watched)
    method: Method = "flex" if ON_GPU else "sdpa"
    exact = _learned(monkeypatch, method, ["precision=fp32"], compiled=False)
    half = _learned(monkeypatch, method, [f"precision={precision}", "seed=0"], compiled=ON_GPU)
    assert scalers[0] is None
    assert (scalers[1] is not None) == (precision == "fp16")
    for mine, other in zip(half, exact, strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=5e-2)


def test_the_log_says_how_fast(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method: Method = "flex" if ON_GPU else "sdpa"
    for row in _learned(monkeypatch, method, ["batch=2"], compiled=False):
        assert row["pictures_per_second"] > 0
        assert row["answers_per_second"] >= row["pictures_per_second"]
        assert row["tokens_per_second"] > row["answers_per_second"]
        known = peak_of(torch.device("cuda" if ON_GPU else "cpu")) is not None
        assert ("share_of_peak" in row) == known
        if known:
            assert 0 < row["share_of_peak"] < 1


def test_a_guided_stage_goes_row_by_row(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It looks at the weights of attention; what it looks for must come to the GPU, too."""
    monkeypatch.setattr("locvlm.training.auxiliary.attention_guidance.SHALLOW", 0)
    train(small_run, [f"stages={{a: {STAGE[:-1]}, guidance: 0.3}}}}", "batch=2"])
    said = capsys.readouterr().err
    assert "a row each (rows)" in said
    assert "layers compiled" not in said
    assert "guidance_loss" in (Path("out") / "a" / "log.jsonl").read_text()


class Forbidding(TrainerCallback):
    """From the third step on, what waits for the GPU within a step is an error."""

    def __init__(self) -> None:
        self.steps = 0

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step >= 2:
            torch.cuda.set_sync_debug_mode("error")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.steps += torch.cuda.get_sync_debug_mode() > 0
        torch.cuda.set_sync_debug_mode("default")


@gpu
@pytest.mark.parametrize("settings", [["batch=1"], ["batch=2"], ["batch=2", "cache=false"]])
def test_no_step_waits_for_the_gpu(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, settings: list[str]
) -> None:
    """On a CPU: `test_gpu_waits`."""
    forbidding = Forbidding()
    trained: Callable[..., Any] = LocTrainer.train

    def watched(self: LocTrainer, *args: Any, **kwargs: Any) -> Any:
        self.add_callback(forbidding)
        try:
            return trained(self, *args, **kwargs)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(LocTrainer, "train", watched)
    _learned(monkeypatch, "flex", settings, compiled=True)
    assert forbidding.steps == 4


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("method", ["sdpa", "flex"])
def test_a_mask_is_made_without_waiting(device: str, method: Method) -> None:
    """It is made of every batch, on the device."""
    packing = Packing.of(*zip(*ROWS, strict=True), TOTAL, method)
    packing.to(device)  # once, to load what it needs
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("error")
        try:
            packing.pin_memory().to(device, non_blocking=True)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return
    from tests.training.engine.test_gpu_waits import Asked

    asked = Asked()
    asked.during = True
    with asked:
        packing.to(device)
    assert not asked.found
