"""What lies in a device's memory while a stage trains.

What the trainer keeps: frozen weights as they are loaded (16 bits, or 4), trained ones in
float32 with a float32 gradient and the two float32 moments of AdamW (fused, so it needs no more).
Under autocast a forward pass keeps 16-bit copies of trained weights for the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from locvlm.training.plan.sketch import ParameterCounts
from locvlm.training.plan.tracing import PassCost

FLOAT32 = 4
HALF = 2


@dataclass(frozen=True)
class Memory:
    """Bytes on each device at the worst moment of a step."""

    weights: float
    gradients: float
    optimizer: float
    copies: float  # 16-bit copies of trained weights; under FSDP2 and ZeRO-3 gathered ones
    buckets: float  # into which DDP copies gradients, to send them
    activations: float
    reserve: float  # CUDA and its libraries

    @property
    def total(self) -> float:
        """All of it."""
        return float(sum(getattr(self, field.name) for field in fields(self)))


def estimate_memory(
    counts: ParameterCounts,
    one: PassCost,
    devices: int,
    distributed: str,
    reserve: float,
    *,
    mixed: bool = True,
) -> Memory:
    """Of a stage on `devices`, which share (`fsdp2`, `zero3`) or repeat (`ddp`) its state.

    `mixed`: layers are gathered in 16 bits.
    """
    shares = devices if distributed != "ddp" else 1
    trained = FLOAT32 * counts.trained
    gathered = _gathered_bytes(counts, HALF if mixed else FLOAT32)
    return Memory(
        weights=weights_of(counts) / shares,
        gradients=trained / shares,
        optimizer=2 * trained / shares,
        copies=one.copies if shares == 1 else gathered,
        buckets=trained if devices > 1 and shares == 1 else 0,
        activations=one.peak - one.copies,
        reserve=reserve,
    )


def weights_of(counts: ParameterCounts) -> float:
    """Bytes of all weights, as they are loaded and trained."""
    return counts.frozen_bytes + FLOAT32 * counts.trained


def _gathered_bytes(counts: ParameterCounts, width: int) -> float:
    """What is whole at a time where weights are shared out.

    What lies outside of the repeated layers, the layer that is computed and the next one, of
    `width` bytes each; and the float32 gradient of a layer until it is shared out again.
    """
    weights = counts.outside + 2 * counts.largest_block
    return width * weights + FLOAT32 * counts.largest_block
