"""How far apart a score of two runs on the same questions is, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from locvlm.evaluation.intervals import EDGES, Score
from locvlm.evaluation.reports.image_sums import Sums, draw_means, image_names
from locvlm.evaluation.task import ScoredAnswer

Samples: TypeAlias = Sequence[Sequence[ScoredAnswer]]  # of a run, rows in the same order

DRAWS = 1000
# Fewer images on which the runs differ can all go one way by chance: 5 of 5 do once in 16 times
FEW = 6
_WORK = 20_000_000  # rows in all draws; large data need fewer draws, their intervals are narrow
_LEAST = 100


@dataclass(frozen=True)
class Difference:
    """One score of both runs."""

    a: float
    b: float
    low: float  # of b - a, 95 %
    high: float
    n: int  # questions behind it
    kind: str = "rate"  # of the score (see `Score`)
    images: int = 0  # with such questions; 0: not known
    changed: int = 0  # of those images, on which the runs are not equal

    @property
    def value(self) -> float:
        return self.b - self.a

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    @property
    def interval(self) -> tuple[float, float]:
        """Its ends, as `widen_interval` has them."""
        return widen_interval(self.kind, (self.low, self.high), self.images, self.changed)


def widen_interval(
    kind: str, ends: tuple[float, float], images: int, changed: int
) -> tuple[float, float]:
    """The 95 % interval of a difference, where images on which the runs differ may be too few.

    Equal answers are no proof of equal models. Where none of n images differs, the true share of
    those that do is at most 3 / n for 95 in 100 such sets (rule of three); so far an interval
    reaches on both sides where fewer than `FEW` differ, unless it leaves out 0.

    Args:
        kind: of the score (see `Score`); "points" have no such bound and stay as they are.
        ends: of the interval that drawing images anew gives.
        images: behind the score; 0: not known, and the ends stay.
        changed: of those images, on which the runs are not equal.
    """
    low, high = ends
    if kind == "points" or not images or changed >= FEW or low > 0 or high < 0:
        return ends
    least = min(1.0, 3 / images)
    return min(low, -least), max(high, least)


def count_images(runs: Sequence[Samples], seed: int) -> NDArray[np.int64]:
    """How often each image is in each draw, ``(D, I)``: all questions about it or none.

    Images are in the order of `image_names`; both runs and all of their samples draw the same.
    """
    rows = runs[0][0]
    images = len(image_names(rows))
    work = max(map(len, runs)) * len(rows)
    draws = max(_LEAST, min(DRAWS, _WORK // max(1, work)))
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(images, size=images) for _ in range(draws))
    return np.array([np.bincount(each, minlength=images) for each in drawn])


def count_rows(
    runs: Sequence[Samples], counts: NDArray[np.int64], draws: slice
) -> NDArray[np.int64]:
    """How often each row is in some of the draws of `count_images`, ``(draws, N)``."""
    place = {name: i for i, name in enumerate(image_names(runs[0][0]))}
    return counts[draws][:, [place[row.image] for row in runs[0][0]]]


def differences_of_means(
    parts: Mapping[str, Sequence[Sequence[Sums]]],
    counts: NDArray[np.int64],
    whole: Mapping[str, tuple[Score, Score]],
) -> dict[str, Difference]:
    """Of scores that are means, by their names.

    Args:
        parts: of each score, of both runs, and of each of their samples: the score by image.
        counts: (D, I): how often each image is in each draw.
        whole: the score of each run; both have a value.
    """
    drawn = iter(
        draw_means([sums for runs in parts.values() for of in runs for sums in of], counts)
    )
    found = {}
    for name, runs in parts.items():
        one, other = whole[name]
        assert one.value is not None and other.value is not None
        before, after = (mean_of_samples([next(drawn) for _ in samples]) for samples in runs)
        apart = (after - before)[~np.isnan(after - before)].tolist()
        a, b = (np.mean(np.array(samples), axis=0) for samples in runs)  # (I, 2)
        found[name] = replace(
            make_difference(one.value, other.value, apart, one.n, one.kind),
            images=int(np.sum((a[:, 1] > 0) | (b[:, 1] > 0))),
            changed=int(np.sum((a != b).any(axis=1))),
        )
    return found


def mean_of_samples(samples: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Over the samples that have a value, of each draw."""
    values = np.array(samples)
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(there, values, 0).sum(axis=0) / there.sum(axis=0))


def make_difference(
    a: float, b: float, drawn: Sequence[float], n: int, kind: str = "rate"
) -> Difference:
    """With the 95 % interval of how far apart the draws are."""
    low, high = np.percentile(drawn or [-1.0, 1.0], EDGES).tolist()
    return Difference(a, b, low, high, n, kind)
