"""Draws by key and number."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from locvlm.instructions.objectives.random_draws import (
    KIND,
    WHICH,
    Draws,
    image_keys,
    objective_keys,
)


def draws(count: int, key: int = 0) -> Draws:
    return Draws(np.full(count, key, np.uint64), np.arange(count))


def test_nothing_to_draw() -> None:
    assert len(image_keys(0, [])) == len(objective_keys(image_keys(0, []), "revloc")) == 0
    assert len(draws(0).below(3, KIND)) == 0


def test_the_published_values_of_splitmix64() -> None:
    # of the seed 1234567; the uses of a number follow each other
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    alone = draws(1, 1234567)
    assert [int(alone.bits(use)[0]) for use in range(4)] == expected


def test_keys_differ_by_seed_picture_and_objective() -> None:
    keys = [
        int(key)
        for seed in (0, 1)
        for name in ("revloc", "locpred")
        for key in objective_keys(image_keys(seed, [1, 2, "a"]), name)
    ]
    assert len(set(keys)) == 12


def test_an_id_is_the_same_as_text() -> None:
    assert image_keys(0, [7]) == image_keys(0, ["7"])


@given(st.lists(st.integers(0, 2**64 - 1), max_size=8), st.integers(1, 2**32))
def test_each_draw_is_the_same_alone(keys: list[int], count: int) -> None:
    many = Draws(np.array(keys, np.uint64), np.arange(len(keys)))
    found = many.below(count, WHICH)
    assert np.all((found >= 0) & (found < count))
    for row, key in enumerate(keys):
        alone = Draws(np.array([key], np.uint64), np.array([row]))
        assert alone.below(count, WHICH) == found[row]


@pytest.mark.parametrize("count", [1, 2, 5, 80])
@pytest.mark.parametrize("by", ["key", "number"])
def test_all_are_equally_likely(count: int, by: str) -> None:
    keys: NDArray[np.uint64] = image_keys(3, range(40_000)) if by == "key" else image_keys(3, [0])
    numbers = np.arange(40_000) if by == "number" else np.array([0])
    found = Counter(Draws(keys, numbers).below(count, KIND).tolist())
    expected = 40_000 / count
    square = sum((found[value] - expected) ** 2 / expected for value in range(count))
    assert square < count + 5 * count**0.5 + 5  # chi squared
    assert len(found) == count


def test_uses_are_independent() -> None:
    some = draws(40_000)
    pairs = Counter(zip(some.below(2, KIND).tolist(), some.below(2, WHICH).tolist(), strict=True))
    assert min(pairs.values()) > 9_500


def test_as_many_as_each_may() -> None:
    found = draws(3).below(np.array([1, 2, 1]), WHICH)
    assert found[0] == found[2] == 0
