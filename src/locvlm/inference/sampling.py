"""Answers that are drawn at a temperature, each by random numbers of its own.

    seed, sample, image, question ─► SHAKE-256 ─► u0 u1 u2 …   one in 0 … 1 for each token
    softmax(logits / temperature) ─► running sums ─► the first token whose sum is above u

Numbers belong to an answer, not to a generator that other answers draw from too. So an answer stays
the same whatever is asked beside it or before it, on how many processes, and after a kill; only
a rounding of the logits can change it, as it can change a greedy one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from locvlm.errors import InputError
from locvlm.media.clips import Clip
from locvlm.media.opening import View

LEAST = 0.001  # a temperature; below, logits in float32 overflow
_ROWS = 64  # whose running sums are made at a time, in float64: a vocabulary has 150,000 tokens


@dataclass(frozen=True, slots=True)
class Sampling:
    """Multinomial sampling from the whole vocabulary, as the paper decodes (temperature 0.2).

    Raises InputError for a temperature that is none.
    """

    temperature: float  # the logits are divided by it
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature >= LEAST):
            raise InputError(
                f"temperature must be 0 (greedy) or a number from {LEAST} up, not "
                f"{self.temperature}; the paper's is 0.2"
            )

    @property
    def record(self) -> dict[str, Any]:
        """For those of runs."""
        return {"method": "multinomial", "temperature": self.temperature, "seed": self.seed}

    def numbers(self, image: str, question: Sequence[int], sample: int, n: int) -> NDArray[Any]:
        """(n,) uniform numbers, 0 ≤ u < 1, of the first n tokens of an answer.

        Args:
            image: its digest (`digest_view`).
            question: its token ids.
            sample: which of several answers to it, from 1.
            n: how many; those of a longer answer begin with the same.
        """
        key = f"{self.seed}|{sample}|{image}|{','.join(map(str, question))}"
        drawn = hashlib.shake_256(key.encode()).digest(8 * n)
        return (np.frombuffer(drawn, "<u8") >> 11) * 2.0**-53

    def draws(self, keys: Iterable[tuple[str, Sequence[int], int]], n: int) -> Draws:
        """What takes the tokens of answers, n at most; `keys` are of each as `numbers` takes it."""
        rows = [self.numbers(image, question, sample, n) for image, question, sample in keys]
        return Draws(torch.from_numpy(np.stack(rows)), self.temperature)


def digest_view(view: View) -> str:
    """Of the pixels of an image or clip as displayed: whatever a processor makes of them."""
    frames = view.frames if isinstance(view, Clip) else (view,)
    digest = hashlib.sha256(f"{len(frames)} {view.size}".encode())
    for frame in frames:
        digest.update(frame.tobytes())
    return digest.hexdigest()


def sampling_at(temperature: float, seed: int = 0) -> Sampling | None:
    """None, which is greedy, at temperature 0. Raises InputError for what is no temperature."""
    return None if temperature == 0 else Sampling(float(temperature), seed)


@dataclass
class Draws:
    """Takes the tokens of B answers by their numbers (`decoding.SelectToken`)."""

    numbers: torch.Tensor  # (B, N)
    temperature: float

    def __call__(
        self, logits: torch.Tensor, rows: Sequence[int], places: Sequence[int]
    ) -> torch.Tensor:
        """(R,) tokens of (R, V) logits, the token `places[i]` of the answer `rows[i]` each."""
        if logits.device.type == "mps":  # which has no float64
            logits = logits.cpu()
        numbers = self.numbers[list(rows), list(places)].to(logits.device)
        parts = zip(logits.split(_ROWS), numbers.split(_ROWS), strict=True)
        return torch.cat([draw_tokens(some, own, self.temperature) for some, own in parts])


def draw_tokens(logits: torch.Tensor, numbers: torch.Tensor, temperature: float) -> torch.Tensor:
    """(R,) tokens of (R, V) logits by (R,) uniform numbers, 0 ≤ u < 1, in float64.

    The token i is taken of all u between the sums of the probabilities up to it and including it.
    """
    scaled = (logits - logits.amax(-1, keepdim=True)).float() / temperature  # the largest is 0
    sums = scaled.exp().cumsum(-1, dtype=torch.float64)  # R, V; in float32 a GPU's would vary
    return torch.searchsorted(sums, numbers[:, None] * sums[:, -1:], right=True)[:, 0]
