"""Chance that is looked up: a draw depends on a key and a number, not on the draws before it.

So those of many pictures are drawn at once, and each is the same however they are put together.
The generator is SplitMix64, whose n-th value is a hash of ``key + n * GOLDEN``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

# What is drawn for one question; draws for different uses are independent.
TEMPLATE, ANSWER, KIND, WHICH = range(4)

_USES = 4
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 / golden ratio
_STEPS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_HALF = np.uint64(32)


def image_keys(seed: int, image_ids: Iterable[int | str]) -> NDArray[np.uint64]:
    """(N,) one for each picture, by its id."""
    return np.array([_hash(f"{seed}/{image}") for image in image_ids], np.uint64)


def objective_keys(keys: NDArray[np.uint64], objective: str) -> NDArray[np.uint64]:
    """(N,) those of one objective."""
    return _mix_bits(keys ^ np.uint64(_hash(objective)))


@dataclass(frozen=True, eq=False)
class Draws:
    """The draws of M questions; arrays that broadcast to their shape will do."""

    keys: NDArray[np.uint64]  # of the picture
    numbers: NDArray[np.int64]  # of the question, in its picture

    def bits(self, use: int) -> NDArray[np.uint64]:
        """64 random bits each."""
        steps = (self.numbers * _USES + use + 1).astype(np.uint64)
        return _mix_bits(self.keys + steps * _GOLDEN)  # modulo 2 ** 64

    def below(self, count: int | NDArray[np.int64], use: int) -> NDArray[np.int64]:
        """A number from 0 to below `count` each; `count` is at least 1 and at most 2 ** 32."""
        many = np.asarray(count, np.uint64)
        return (((self.bits(use) >> _HALF) * many) >> _HALF).astype(np.int64)


def _mix_bits(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, factor in _STEPS:
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
