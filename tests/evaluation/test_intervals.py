from statistics import pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.evaluation.intervals import (
    Score,
    compare_intervals,
    f1,
    mean,
    rate,
    scaled_mean,
    wilson,
)

tries = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_nothing_tried_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)
    assert rate([]) == Score(None, 0.0, 1.0, 0)
    assert mean([]) == Score(None, 0.0, 1.0, 0, "mean")


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(5, 10, 0.2366, 0.7634), (0, 10, 0.0, 0.2775), (1, 1, 0.2065, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_known_wilson_intervals(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("hits", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts(hits, n):
    with pytest.raises(ValueError, match="is no rate"):
        wilson(hits, n)


@given(tries)
def test_wilson_holds_the_rate_within_0_and_1(pair):
    hits, n = pair
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    assert low < high


@given(tries)
def test_wilson_is_symmetric(pair):
    hits, n = pair
    low, high = wilson(hits, n)
    assert wilson(n - hits, n) == pytest.approx((1 - high, 1 - low))


@given(tries)
def test_wilson_narrows_with_n(pair):
    hits, n = pair
    narrow, wide = wilson(4 * hits, 4 * n), wilson(hits, n)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_rate_counts():
    assert rate([True, False, True, True]).value == 0.75
    assert rate(iter([True, True])).n == 2


def test_mean_of_one_value_does_not_claim_to_be_sure():
    assert mean([0.4]) == Score(0.4, 0.0, 1.0, 1, "mean")


def test_mean_repeats_by_seed():
    values = [i % 7 / 7 for i in range(50)]
    assert mean(values, seed=1) == mean(values, seed=1)
    assert mean(values, seed=1) != mean(values, seed=2)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40))
def test_mean_lies_in_its_interval(values):
    score = mean(values)
    assert -1e-9 <= score.low <= score.value <= score.high <= 1 + 1e-9


def test_bootstrap_agrees_with_the_normal_interval():
    values = [0.0, 1.0] * 200
    half = 1.96 * 0.5 / 400**0.5
    score = mean(values)
    assert (score.low, score.high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.01)


def test_many_values_of_few_kinds_are_fast_and_of_many_kinds_right():
    few = [i % 5 / 4 for i in range(200_000)]
    many = [i / 1000 for i in range(1001)]
    for values in (few, many):
        score = mean(values)
        half = 1.96 * pstdev(values) / len(values) ** 0.5
        assert score.value == pytest.approx(0.5)
        assert (score.low, score.high) == pytest.approx((0.5 - half, 0.5 + half), abs=half / 5)


def test_apart_only_where_intervals_do_not_meet():
    low, middle, high = Score(0.2, 0.1, 0.3, 9), Score(0.4, 0.3, 0.5, 9), Score(0.6, 0.51, 0.7, 9)
    assert (compare_intervals(low, high), compare_intervals(high, low)) == (1, -1)
    assert compare_intervals(low, middle) == compare_intervals(middle, middle) == 0
    assert compare_intervals(Score(None, 0, 1, 0), high) == 0


def test_a_scaled_mean_is_the_mean_in_other_units():
    values = [0.0, 2.0, 5.0, 4.0]
    unit, scaled = mean((value / 5 for value in values), seed=3), scaled_mean(values, 5, seed=3)
    assert scaled.value == pytest.approx(11 / 4)
    assert (scaled.low, scaled.high) == pytest.approx((5 * unit.low, 5 * unit.high))
    assert (scaled.n, scaled.kind) == (4, "mean")
    assert scaled_mean([3], 5) == Score(pytest.approx(3), 0.0, 5.0, 1, "mean")
    assert scaled_mean([], 5) == Score(None, 0.0, 5.0, 0, "mean")


def test_f1_of_nothing():
    assert f1(0, 0, 0, 0) == Score(None, 0.0, 1.0, 0)
    assert f1(0, 0, 0, 5) == Score(None, 0.0, 1.0, 5)
    assert f1(0, 1, 0, 1) == Score(0.0, 0.0, 1.0, 1)


@pytest.mark.parametrize("counts", [(-1, 0, 0, 3), (2, 1, 1, 3), (0, 0, -1, 3)])
def test_impossible_counts_of_f1(counts):
    with pytest.raises(ValueError, match="are no counts"):
        f1(*counts)


@given(st.tuples(*[st.integers(0, 3000)] * 4), st.integers(0, 9))
def test_f1_is_the_harmonic_mean(counts, seed):
    hits, false, missed, _ = counts
    score = f1(hits, false, missed, sum(counts), seed=seed)
    assert score.n == sum(counts)
    if hits:
        precision, recall = hits / (hits + false), hits / (hits + missed)
        assert score.value == pytest.approx(2 * precision * recall / (precision + recall))
    else:
        assert score.value == (0 if false + missed else None)
    assert 0 <= score.low <= (score.value or 0) <= score.high <= 1
    assert score == f1(hits, false, missed, sum(counts), seed=seed)


def test_f1s_interval_is_about_that_of_a_rate():
    """Where all that is said is true and said of all questions, F1 is 2 r / (1 + r)."""
    score, recall = f1(2000, 0, 1000, 3000), rate([True] * 2000 + [False] * 1000)
    edges = [2 * edge / (1 + edge) for edge in (recall.low, recall.high)]
    assert (score.low, score.high) == pytest.approx(edges, abs=0.003)
