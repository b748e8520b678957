"""Scores that say how sure they are: every figure carries its n and a 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054  # the normal distribution's 97.5 % quantile
# 97.5 % quantiles of Student's t of n values, with n - 1 degrees of freedom
_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
RESAMPLES = 2000  # of a bootstrap
EDGES = (2.5, 97.5)  # percentiles of a 95 % interval
_INTERVALS = ContextVar("_INTERVALS", default=True)
_FEW = 100  # distinct values, of which it is faster to draw the counts than the values


@dataclass(frozen=True, slots=True)
class Score:
    """A figure with its 95 % interval. Of nothing (`n` 0) there is no value."""

    value: float | None
    low: float
    high: float
    n: int  # questions behind it
    kind: Literal["rate", "mean", "points"] = "rate"  # points: not bounded by 1, such as CIDEr's


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a binomial rate; ``(0, 1)`` where nothing was tried.

    Unlike the normal approximation it stays inside 0 … 1 and is not empty at 0 and 100 %.
    Raises ValueError unless ``0 <= hits <= n``.

    >>> [round(edge, 3) for edge in wilson(5, 10)]
    [0.237, 0.763]
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits of {n} is no rate")
    if n == 0:
        return 0.0, 1.0
    p, z2 = hits / n, _Z * _Z
    center = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # At the ends the edge is exact; float arithmetic alone would miss it by 1e-17.
    low = 0.0 if hits == 0 else max(0.0, center - half)
    high = 1.0 if hits == n else min(1.0, center + half)
    return low, high


def rate(flags: Iterable[bool]) -> Score:
    """The share of true flags, with Wilson's interval."""
    sample = [bool(flag) for flag in flags]
    hits, n = sum(sample), len(sample)
    low, high = wilson(hits, n) if _INTERVALS.get() else (0.0, 1.0)
    return Score(hits / n if n else None, low, high, n)


def mean(values: Iterable[float], *, seed: int = 0) -> Score:
    """The mean of values in 0 … 1, with a percentile bootstrap interval over the values.

    Deterministic by `seed`. One value alone says nothing about its spread: ``(0, 1)``.
    """
    sample = np.asarray(list(values), dtype=np.float64)
    if len(sample) == 0:
        return Score(None, 0.0, 1.0, 0, "mean")
    value = float(np.add.reduce(sample)) / len(sample)  # as `.mean()`, which takes longer to begin
    if len(sample) == 1 or not _INTERVALS.get():
        return Score(value, 0.0, 1.0, len(sample), "mean")
    rng = np.random.default_rng(seed)
    low, high = (float(edge) for edge in np.percentile(_resampled_means(sample, rng), EDGES))
    return Score(value, min(low, value), max(high, value), len(sample), "mean")


def scaled_mean(values: Iterable[float], top: float, *, seed: int = 0) -> Score:
    """As `mean`, of values in 0 … `top`."""
    score = mean((value / top for value in values), seed=seed)
    value = None if score.value is None else top * score.value
    return replace(score, value=value, low=top * score.low, high=top * score.high)


@contextmanager
def without_intervals() -> Iterator[None]:
    """Scores without an interval of their own meanwhile, for who resamples whole scores."""
    before = _INTERVALS.set(False)
    try:
        yield
    finally:
        _INTERVALS.reset(before)


def f1(hits: int, false: int, missed: int, n: int, *, seed: int = 0) -> Score:
    """The harmonic mean of precision and recall, with a percentile bootstrap over the questions.

    Args:
        hits: said and true.
        false: said and not true.
        missed: true and not said.
        n: all questions, also those that were rightly not said.
        seed: of the bootstrap.

    Of nothing said and nothing true there is no value. Raises ValueError for impossible counts.

    >>> f1(1, 1, 1, 4).value
    0.5
    """
    if min(hits, false, missed, n - hits - false - missed) < 0:
        raise ValueError(f"{hits} hits, {false} false and {missed} missed of {n} are no counts")
    if hits + false + missed == 0:
        return Score(None, 0.0, 1.0, n)
    counts = np.array([hits, false, missed, n - hits - false - missed])
    value = float(_f1(counts))
    if n == 1 or not _INTERVALS.get():
        return Score(value, 0.0, 1.0, n)
    resampled = _f1(np.random.default_rng(seed).multinomial(n, counts / n, size=RESAMPLES))
    low, high = (float(edge) for edge in np.nanpercentile(resampled, EDGES))
    return Score(value, min(low, value), max(high, value), n)


def _f1(counts: np.ndarray) -> np.ndarray:
    """Of ``(…, 4)`` counts (hits, false, missed, rest); nan where the first three are 0."""
    hits, false, missed, _ = np.moveaxis(counts, -1, 0)
    with np.errstate(invalid="ignore"):
        return np.asarray(2 * hits / (2 * hits + false + missed))


def _resampled_means(values: NDArray[np.float64], rng: np.random.Generator) -> list[float]:
    """The means of `RESAMPLES` samples of the (N,) `values`, each of N with replacement."""
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= _FEW:
        drawn: NDArray[np.float64] = rng.multinomial(n, counts / n, size=RESAMPLES) @ distinct / n
        return drawn.tolist()
    return [float(values[rng.integers(n, size=n)].mean()) for _ in range(RESAMPLES)]


def compare_intervals(a: Score, b: Score) -> int:
    """1 where the interval of `b` lies wholly above that of `a`, -1 below, 0 where they meet."""
    if a.value is None or b.value is None:
        return 0
    return int(b.low > a.high) - int(b.high < a.low)


def student_t(n: int) -> float:
    """The 97.5 % quantile of the mean of `n` values (2 or more), to 0.003.

    Beyond the table by Fisher's expansion about the normal one (Abramowitz and Stegun, 26.7.5).
    """
    if n in _T:
        return _T[n]
    z, free = _Z, n - 1
    return z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
