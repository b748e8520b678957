"""What is computed in: by the device, the environment, and what was asked for."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from locvlm.errors import InputError
from locvlm.runtime import precision
from locvlm.runtime.precision import choose_precision, fast_dtype

Pretend = Callable[..., None]
LIMITS = ("ATEN_CPU_CAPABILITY", *precision.CAPPED, precision.VARIABLE)
XEON = {"architecture": "x86_64", "avx2": True, "avx512_bf16": True}


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limits from outside, and no GPU."""
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Pretends to be a processor."""

    def pretend(features: dict[str, Any], level: str = "AVX512", onednn: bool = True) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)

    return pretend


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Pretends to be an NVIDIA GPU of a compute capability."""

    def pretend(name: str, major: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda: name)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (major, 0))

        def supported(including_emulation: bool = True) -> bool:
            return including_emulation or major >= 8

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)

    return pretend


@pytest.mark.parametrize(
    ("features", "level", "onednn", "name", "reason"),
    [
        (XEON, "AVX512", True, "bf16", "native here (avx512_bf16)"),
        ({**XEON, "amx_bf16": True}, "AVX512", True, "bf16", "native here (amx_bf16)"),
        ({"architecture": "x86_64", "avx2": True}, "AVX2", True, "fp32", "no bf16"),
        ({"architecture": "x86_64", "avx512_f": True}, "AVX512", True, "fp32", "no bf16"),
        (XEON, "AVX2", True, "fp32", "kept to AVX2"),
        (XEON, "DEFAULT", True, "fp32", "kept to DEFAULT"),
        (XEON, "AVX512", False, "fp32", "without oneDNN"),
        ({"architecture": "aarch64", "bf16": True}, "DEFAULT", True, "bf16", "(bf16)"),
        ({"architecture": "arm64", "bf16": True}, "DEFAULT", False, "fp32", "without oneDNN"),
        ({"architecture": "aarch64"}, "SVE256", True, "fp32", "no bf16"),
        ({}, "VSX", True, "fp32", "no bf16"),
    ],
)
def test_a_processor(
    cpu: Pretend, features: dict[str, Any], level: str, onednn: bool, name: str, reason: str
) -> None:
    cpu(features, level, onednn)
    chosen = choose_precision()
    assert chosen.name == name
    assert reason in chosen.reason


@pytest.mark.parametrize(
    ("cap", "name"),
    [
        ("AVX2", "fp32"),
        ("avx512_core", "fp32"),
        ("AVX512_CORE_VNNI", "fp32"),
        ("AVX2_VNNI_2", "fp32"),
        ("AVX512_CORE_BF16", "bf16"),
        ("AVX512_CORE_AMX", "bf16"),
        ("AVX10_1_512", "bf16"),
        ("DEFAULT", "bf16"),
        ("", "bf16"),
    ],
)
@pytest.mark.parametrize("variable", precision.CAPPED)
def test_onednn_may_be_held_back(
    cpu: Pretend, monkeypatch: pytest.MonkeyPatch, variable: str, cap: str, name: str
) -> None:
    cpu(XEON)
    monkeypatch.setenv(variable, cap)
    assert choose_precision().name == name


def test_pytorch_itself_is_held_back() -> None:
    """Whatever the processor is: the variable is read when PyTorch starts."""
    code = "from locvlm.runtime.precision import choose_precision; print(choose_precision())"
    told = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=told)
    assert out.stdout.startswith("CPU: fp32, since "), out.stderr


@pytest.mark.parametrize(
    ("name", "major", "expected"),
    [
        ("NVIDIA A100", 8, "bf16"),
        ("NVIDIA H100", 9, "bf16"),
        ("Tesla T4", 7, "fp16"),
        ("Tesla V100", 7, "fp16"),
        ("GeForce GTX 1080", 6, "fp32"),
    ],
)
def test_a_gpu(gpu: Pretend, name: str, major: int, expected: str) -> None:
    gpu(name, major)
    chosen = choose_precision()
    assert (chosen.name, chosen.device) == (expected, name)
    assert chosen.dtype == precision.DTYPES[chosen.name]


def test_what_is_asked_for(cpu: Pretend, gpu: Pretend) -> None:
    cpu({})
    assert str(choose_precision("bf16")) == "CPU: bf16, as precision says, though fp32 is native"
    assert str(choose_precision("fp32")) == "CPU: fp32, as precision says"
    with pytest.raises(InputError, match="fp16 needs a GPU"):
        choose_precision("fp16")
    gpu("NVIDIA H100", 9)
    assert choose_precision("fp16").mixed
    assert not choose_precision("fp32").mixed


def test_the_environment_speaks_where_a_recipe_does_not(
    cpu: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpu(XEON)
    monkeypatch.setenv(precision.VARIABLE, "fp32")
    assert fast_dtype() == torch.float32
    assert choose_precision("bf16").name == "bf16"
    monkeypatch.setenv(precision.VARIABLE, "half")
    with pytest.raises(InputError, match=r"LOCVLM_PRECISION: 'half' is none of auto, bf16, fp16"):
        choose_precision()


def test_a_mac_is_told_that_its_gpu_waits(cpu: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu({"architecture": "arm64", "bf16": True}, "DEFAULT", False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert "does not use the GPU of a Mac" in str(choose_precision())
