"""How rows divide, and which token sees which."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from locvlm.training.data.packing import PADDING, Blocks, Packing

Row = tuple[int, list[int]]
rows = st.lists(
    st.tuples(st.integers(0, 6), st.lists(st.integers(1, 5), min_size=1, max_size=4)),
    min_size=1,
    max_size=4,
)


def test_one_question_of_one_token() -> None:
    blocks = Blocks.of(3, [1])
    assert blocks.gather.tolist() == [[0]]
    assert blocks.valid.tolist() == [[True]]


def test_shorter_questions_are_padded_with_the_first_token() -> None:
    blocks = Blocks.of(3, [2, 1, 3])
    assert blocks.gather.tolist() == [[0, 1, 0], [2, 0, 0], [3, 4, 5]]
    assert blocks.valid.tolist() == [[True, True, False], [True, False, False], [True] * 3]


@given(rows)
def test_every_token_is_gathered_once_in_order(some: list[Row]) -> None:
    for prefix, lengths in some:
        blocks = Blocks.of(prefix, lengths)
        assert blocks.gather[blocks.valid].tolist() == list(range(sum(lengths)))


def test_segments() -> None:
    packing = Packing.of([2, 1], [[1, 2], [3]], total=6)
    assert packing.segments.tolist() == [[0, 0, 1, 2, 2, -1], [0, 1, 1, 1, -1, -1]]
    assert (packing.tokens, packing.pairs) == (9, (3 + 3 + 7) + (1 + 9))


@given(rows, st.integers(0, 3))
def test_a_mask_holds_what_may_be_seen(some: list[Row], more: int) -> None:
    longest = max(prefix + sum(lengths) for prefix, lengths in some)
    packing = Packing.of(*zip(*some, strict=True), longest + more, "sdpa").to("cpu")
    assert isinstance(packing.mask, torch.Tensor)
    pairs = 0
    for row, (prefix, lengths) in enumerate(some):
        starts = [prefix + sum(lengths[:k]) for k in range(len(lengths))]
        question = [None] * prefix
        for number, length in enumerate(lengths):
            question += [number] * length
        for q, k in product(range(len(question)), repeat=2):
            sees = k <= q and question[k] in (None, question[q])
            assert bool(packing.mask[row, 0, q, k]) == sees, (starts, q, k)
            pairs += sees
    assert packing.pairs == pairs
    padding = packing.segments == PADDING
    assert packing.mask[:, 0].any(-1).all()  # a token that sees nothing would be no number
    for row in range(len(some)):
        assert not packing.mask[row, 0][~padding[row]][:, padding[row]].any()


@pytest.mark.parametrize("method", ["rows", "sdpa", "flex"])
def test_a_mask_is_made_where_it_is_read(method: str) -> None:
    packing = Packing.of([3], [[2, 2]], method=method)  # type: ignore[arg-type]
    assert packing.mask is None
    assert (packing.to("cpu").mask is None) == (method == "rows")
