"""How fast a stage trains: tokens, pictures and answers per second, and the share of the card.

Counted is useful work alone. Per token and weight of the language model: two operations forward and
two for the gradient of what it reads, and two more where the weight itself is trained (so 4·N·T for
low-rank updates, 6·N·T for all of it); attention by the pairs of tokens that see each other; no
padding, nothing that is computed twice, and none of the low-rank updates themselves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from locvlm.models.parts import PARTS, Part, part_of
from locvlm.training.adapters import base_model
from locvlm.training.data.training_batch import TrainingBatch

# Dense bfloat16 operations per second with float32 sums, by the makers' data sheets; by a part of
# the name that CUDA gives the device
PEAKS = {
    "H200": 989e12,
    "H100": 989e12,  # SXM
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "RTX 4090": 165.2e12,
}


@dataclass(frozen=True)
class Work:
    """Operations of a forward and a backward pass."""

    token: int  # per token of the language model
    answer_token: int  # per learned token: the output layer
    image: int  # per image: encoder and adapter
    pair: int  # per pair of a token and one that it sees, all layers together

    @classmethod
    def of(cls, model: nn.Module, patches: int, *, encodes: bool) -> Work:
        """Of a model as it is trained.

        Args:
            model: maybe wrapped by PEFT.
            patches: of a picture; 0 where it depends on the picture, which is then not counted.
            encodes: the encoder runs; else its outputs are kept.
        """
        base = base_model(model)
        weights, trained = _weights(model, base)
        passes = {part: 6 if part in trained else 4 for part in PARTS}
        if "encoder" not in trained:
            passes["encoder"] = 2  # nothing before it is trained
        text = base.config.get_text_config()
        heads = text.num_attention_heads
        width = heads * (getattr(text, "head_dim", None) or text.hidden_size // heads)
        head = base.get_output_embeddings().weight
        return cls(
            token=weights["language"] * passes["language"],
            answer_token=head.numel() * (6 if head.requires_grad else 4),
            image=patches
            * (
                weights["adapter"] * passes["adapter"]
                + (weights["encoder"] * passes["encoder"] if encodes else 0)
            ),
            # two products of two operations, forward, and twice that backward
            pair=12 * width * text.num_hidden_layers,
        )

    def count(self, batch: TrainingBatch) -> int:
        """Operations of a batch."""
        return (
            self.token * batch.tokens
            + self.answer_token * len(batch.labels)
            + self.image * batch.images
            + self.pair * batch.pairs
        )


def _weights(model: nn.Module, base: Any) -> tuple[dict[Part, int], set[Part]]:
    """How many each part multiplies by, and the parts that are trained themselves."""
    embeddings = {id(base.get_input_embeddings().weight), id(base.get_output_embeddings().weight)}
    count = dict.fromkeys(PARTS, 0)
    trained: set[Part] = set()
    for name, weight in model.named_parameters():
        aside = "lora_" in name or ".original_module." in name or id(weight) in embeddings
        if weight.ndim > 1 and not aside:
            count[part_of(name)] += weight.numel()
            if weight.requires_grad:
                trained.add(part_of(name))
    return count, trained


class ThroughputMeter:
    """Adds up what passes, and says how fast that was.

    Args:
        work: of the model; None: speeds alone.
        peak: operations per second of the device at best; None: not known.
    """

    def __init__(self, work: Work | None = None, peak: float | None = None):
        self.work, self.peak = work, peak
        self.begin()

    def begin(self) -> None:
        """From now on."""
        self.start = time.perf_counter()
        self.images = self.answers = self.tokens = self.flops = 0

    def add(self, batch: TrainingBatch) -> None:
        """A batch of this process."""
        self.images += batch.images
        self.answers += batch.answers
        self.tokens += batch.tokens
        self.flops += self.work.count(batch) if self.work else 0

    def figures(self, processes: int = 1) -> dict[str, float]:
        """Per second since `begin`, of `processes` that do the same; begins anew."""
        seconds = time.perf_counter() - self.start
        speeds = {}
        counts = {"pictures": self.images, "answers": self.answers, "tokens": self.tokens}
        for name, count in counts.items():
            speeds[f"{name}_per_second"] = round(count * processes / seconds, 2)
        if self.work and self.peak:
            speeds["share_of_peak"] = round(self.flops / seconds / self.peak, 4)
        self.begin()
        return speeds


def peak_of(device: torch.device) -> float | None:
    """Dense bfloat16 operations per second of a GPU at best; None where they are not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)
