"""What numbers this computer computes in: what its device does natively, unless told otherwise.

    bf16   GPUs from NVIDIA's Ampere on, AMD's; CPUs with AVX-512 BF16 or AMX, ARM's with BF16
    fp16   NVIDIA's GPUs before them: V100, T4, RTX 20; trained with a scaled loss
    fp32   everything else: in emulated bf16, an AVX2 processor trains about ten times slower

Every command asks here. The environment's LOCVLM_PRECISION decides where a recipe does not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from locvlm.errors import InputError

Name = Literal["bf16", "fp16", "fp32"]
VARIABLE = "LOCVLM_PRECISION"
DTYPES: dict[Name, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}
HALF_SINCE = 7  # compute capability of the first of NVIDIA's GPUs with fast fp16: V100
X86 = ("amx_bf16", "avx512_bf16")  # features of processors that compute in bfloat16
ARM = ("sve_bf16", "bf16")
CAPPED = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")  # of the library that multiplies matrices
UNCAPPED = ("", "ALL", "DEFAULT")


@dataclass(frozen=True)
class Precision:
    """Of the arithmetic; sums and what is trained are float32 in any of them."""

    name: Name
    device: str  # for people, such as "CPU"
    reason: str

    @property
    def dtype(self) -> torch.dtype:
        """Of weights that are not trained, and of what layers compute."""
        return DTYPES[self.name]

    @property
    def mixed(self) -> bool:
        """Whether what is trained is of another type: float32."""
        return self.name != "fp32"

    def __str__(self) -> str:
        return f"{self.device}: {self.name}, {self.reason}"


def choose_precision(asked: str = "auto") -> Precision:
    """The precision that a recipe asks for; `auto`: LOCVLM_PRECISION, else what is native here.

    Raises:
        InputError: there is no such precision, or the device cannot compute in it.
    """
    own = native_precision()
    source = "precision"
    if asked == "auto":
        asked, source = os.environ.get(VARIABLE) or "auto", VARIABLE
    if asked == "auto":
        return own
    name = next((name for name in get_args(Name) if name == asked), None)
    if name is None:
        raise InputError(f"{source}: {asked!r} is none of auto, {', '.join(DTYPES)}")
    if name == "fp16" and not torch.cuda.is_available():
        raise InputError(f"{source}: fp16 needs a GPU; choose auto")
    reason = f"as {source} says"
    slow = name != "fp32" and name != own.name
    return Precision(name, own.device, f"{reason}, though {own.name} is native" if slow else reason)


def native_precision() -> Precision:
    """What the device computes fast: the GPU where there is one, else the processor."""
    return _gpu() if torch.cuda.is_available() else _cpu()


def fast_dtype() -> torch.dtype:
    """Of a model that answers."""
    return choose_precision().dtype


def refuse_not_finite(model: Any, _: Any, out: Any) -> None:
    """A forward hook of models that answer: of logits that are no numbers any text can be made.

    Raises:
        InputError: logits are infinite or not numbers. Those of fp16 may be too large for it (its
            largest number is 65504); other models' weights are broken.
    """
    if (out.logits < torch.inf).all():
        return
    if model.dtype == torch.float16:
        raise InputError(f"this model's numbers are too large for fp16; set {VARIABLE}=fp32")
    raise InputError(
        "this model computes numbers that are not finite, so it cannot answer; its weights are "
        "broken, as after a training that diverged: train again with a lower learning rate"
    )


def _gpu() -> Precision:
    device = torch.cuda.get_device_name()
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision("bf16", device, "native here")
    if torch.cuda.get_device_capability()[0] >= HALF_SINCE:
        return Precision("fp16", device, "since it has no bf16 arithmetic")
    return Precision("fp32", device, "since it has neither bf16 nor fast fp16 arithmetic")


def _cpu() -> Precision:
    mac = torch.backends.mps.is_available()
    device = "CPU (LocVLM does not use the GPU of a Mac)" if mac else "CPU"
    features = torch.cpu.get_capabilities()
    arm = features.get("architecture") in ("arm64", "aarch64")
    feature = next((name for name in (ARM if arm else X86) if features.get(name)), None)
    if feature is None:
        return Precision("fp32", device, "since it has no bf16 arithmetic")
    if obstacle := _obstacle(arm=arm):
        return Precision("fp32", device, f"since {obstacle}")
    return Precision("bf16", device, f"native here ({feature})")


def _obstacle(*, arm: bool) -> str:
    """What keeps PyTorch from the processor's bfloat16 arithmetic; "" for nothing."""
    if not torch.backends.mkldnn.is_available():
        return "this PyTorch was built without oneDNN"
    level = torch.backends.cpu.get_cpu_capability()
    if not arm and not level.startswith("AVX512"):
        return f"PyTorch is kept to {level} (ATEN_CPU_CAPABILITY)"
    for name in CAPPED:
        cap = os.environ.get(name, "").upper()
        if cap not in UNCAPPED and not any(
            word in cap for word in ("BF16", "FP16", "AMX", "AVX10")
        ):
            return f"{name}={cap} rules bf16 out"
    return ""
