"""Machines to plan for: memory, arithmetic, and what an hour costs.

Speeds are the makers' figures, for dense bfloat16 (and fp16) with float32 sums, and for float32
without tensor cores: NVIDIA's Ada architecture white paper, and the data sheets of A100 and H100
SXM. Prices are assumptions of November 2025, about what on-demand clouds ask; give your own.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locvlm.errors import InputError

if TYPE_CHECKING:
    import torch

GIB = 2**30
SIDE = 1024  # of the matrices that measure a CPU
SECONDS = 1.0  # for which it is measured


@dataclass(frozen=True)
class Machine:
    """One computer with devices that are all alike."""

    name: str
    devices: int
    memory: float  # bytes of each
    flops: float  # per second of each, at best
    utilization: float  # share of `flops` that training reaches; 0: to be measured (`layer`)
    price: float  # US dollars per hour, of all devices together
    reserve: float = GIB  # bytes of each that CUDA and its libraries take
    precision: str = "bf16"  # in which `flops` are, and the recipe is trained
    gpus: bool = True  # its devices are GPUs, else a CPU


GPUS = {
    machine.name: machine
    for machine in (
        Machine("1x4090", 1, 24 * GIB, 165.2e12, 0.35, 0.4),
        Machine("8xA100", 8, 80 * GIB, 312e12, 0.35, 14.0),
        Machine("8xH100", 8, 80 * GIB, 989e12, 0.35, 22.0),
    )
}
SINGLE = {"1x4090": 82.6e12, "8xA100": 19.5e12, "8xH100": 67e12}  # flops in float32
NAMES = (*GPUS, "cpu")


def get_machine(name: str, precision: str = "auto") -> Machine:
    """A machine by its name, as it trains in a recipe's `precision`.

    `cpu` is this computer, measured in a second.

    Raises:
        InputError: there is none of this name, or it does not compute in this precision.
    """
    if name == "cpu":
        return _measure_cpu(precision)
    if name not in GPUS:
        raise InputError(f"no machine {name!r}; there are {', '.join(NAMES)}")
    gpu = GPUS[name]
    if precision == "fp32":
        return replace(gpu, flops=SINGLE[name], precision=precision)
    return gpu if precision == "auto" else replace(gpu, precision=precision)


def _measure_cpu(precision: str) -> Machine:
    from locvlm.runtime.precision import choose_precision

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    chosen = choose_precision(precision)
    speed = matmul_flops(chosen.dtype)
    return Machine("cpu", 1, float(memory), speed, 0.0, 0.0, GIB / 2, chosen.name, gpus=False)


def matmul_flops(dtype: torch.dtype) -> float:
    """Additions and multiplications per second of a matrix product on this CPU."""
    import torch

    a = torch.ones(SIDE, SIDE, dtype=dtype)
    a @ a  # the first one also sets up
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        a @ a
        count += 1
    return 2 * SIDE**3 * count / elapsed
