"""At most so many questions per category and objective over a whole data set.

Each question has a rank that depends on the seed, its picture and its objective alone, and of each
category and objective the lowest ranks are kept. Ranks compare first how many such questions the
same picture had before, so that the kept ones spread over as many pictures as possible. Batches
can therefore be ranked anywhere, and the result is the same.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from locvlm.instructions.base import Instruction

QuotaKey = tuple[str, str]  # objective, category
Rank = tuple[int, float]  # like questions before it about the picture, a draw from 0 to 1
LowestRanks = dict[QuotaKey, list[Rank]]


def rank_instructions(
    image_id: int | str, instructions: Sequence[Instruction], seed: int
) -> list[tuple[QuotaKey, Rank]]:
    """Key and rank of each instruction about a picture, which has the id `image_id`."""
    before: Counter[QuotaKey] = Counter()
    draws: dict[str, random.Random] = {}
    ranks = []
    for item in instructions:
        key, name = (item.objective, item.category), item.objective
        if name not in draws:
            draws[name] = random.Random(f"{seed}/{image_id}/{name}/balance")
        ranks.append((key, (before[key], draws[name].random())))
        before[key] += 1
    return ranks


def keep_lowest(ranks: Iterable[tuple[QuotaKey, Rank]], most: int) -> LowestRanks:
    """The `most` lowest ranks of each key, sorted."""
    groups: LowestRanks = {}
    for key, rank in ranks:
        groups.setdefault(key, []).append(rank)
    return {key: heapq.nsmallest(most, found) for key, found in groups.items()}


def merge_lowest(parts: Iterable[LowestRanks], most: int) -> LowestRanks:
    """The lowest of all parts."""
    whole: LowestRanks = {}
    for part in parts:
        for key, found in part.items():
            whole[key] = heapq.nsmallest(most, whole.get(key, []) + found)
    return whole


@dataclass(frozen=True)
class Quota:
    """Which ranks are kept."""

    last: dict[QuotaKey, Rank]  # the highest of each key; the others have fewer than are allowed
    seed: int

    def keeps(self, image_id: int | str, instructions: Sequence[Instruction]) -> list[bool]:
        """Whether each is within the quota; what is about no single category always is."""
        ranks = rank_instructions(image_id, instructions, self.seed)
        return [
            not item.category or key not in self.last or rank <= self.last[key]
            for item, (key, rank) in zip(instructions, ranks, strict=True)
        ]


def compute_quota(parts: Iterable[LowestRanks], most: int, seed: int) -> Quota:
    """The quota of `most` per key, from the lowest ranks of all batches."""
    full = {key: found for key, found in merge_lowest(parts, most).items() if len(found) == most}
    return Quota({key: found[-1] for key, found in full.items()}, seed)
