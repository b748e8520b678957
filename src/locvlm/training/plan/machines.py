"""Machines to plan for: memory, arithmetic, and what an hour costs.

Speeds are the makers' figures for dense bfloat16 with float32 sums: NVIDIA's Ada architecture white
paper, and the data sheets of A100 and H100 SXM. Prices are assumptions of November 2025, about what
on-demand clouds ask; give your own.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from locvlm.errors import InputError

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
    utilization: float  # share of `flops` that training reaches
    price: float  # US dollars per hour, of all devices together
    reserve: float = GIB  # bytes of each that CUDA and its libraries take


GPUS = {
    machine.name: machine
    for machine in (
        Machine("1x4090", 1, 24 * GIB, 165.2e12, 0.35, 0.4),
        Machine("8xA100", 8, 80 * GIB, 312e12, 0.35, 14.0),
        Machine("8xH100", 8, 80 * GIB, 989e12, 0.35, 22.0),
    )
}
NAMES = (*GPUS, "cpu")


def machine(name: str) -> Machine:
    """A machine by its name; `cpu` is this computer, measured in a second.

    Raises:
        InputError: there is none of this name.
    """
    if name == "cpu":
        return _cpu()
    if name not in GPUS:
        raise InputError(f"no machine {name!r}; there are {', '.join(NAMES)}")
    return GPUS[name]


def _cpu() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine("cpu", 1, float(memory), matmul_flops(), 0.5, 0.0, reserve=GIB / 2)


def matmul_flops() -> float:
    """Additions and multiplications per second of a bfloat16 matrix product on this CPU."""
    import torch

    a = torch.ones(SIDE, SIDE, dtype=torch.bfloat16)
    a @ a  # the first one also sets up
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < SECONDS:
        a @ a
        count += 1
    return 2 * SIDE**3 * count / taken
