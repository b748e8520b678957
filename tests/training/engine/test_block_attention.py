"""Packed questions answer exactly as if each were asked alone: values and gradients."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from locvlm.models.load import Loaded
from locvlm.training.data.packing import Method, Packing
from locvlm.training.engine.block_attention import NAME, block_attention, choose_method

SCALE = 0.3
D = 8

# prefix, tokens of each question
SHAPES = [
    (1, [1]),
    (5, [1]),
    (5, [7]),
    (5, [1, 1, 1]),
    (3, [4, 1, 9, 2]),
    (0, [3, 2]),
    (17, [2] * 30),
]
every_shape = pytest.mark.parametrize(("prefix", "lengths"), SHAPES, ids=str)


Heads = tuple[Tensor, Tensor, Tensor]  # query, key, value: (1, heads, T, D)


def alone(heads: Heads, prefix: int, lengths: list[int]) -> Tensor:
    """(1, T, H, D): stock causal attention, one sequence of prefix + question per question."""
    start = prefix
    outs: list[Tensor] = []
    for length in lengths:
        rows = [*range(prefix), *range(start, start + length)]
        query, key, value = (x[:, :, rows] for x in heads)
        out = F.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=SCALE, enable_gqa=True
        )
        outs.append(out[:, :, prefix:] if outs else out)
        start += length
    return torch.cat(outs, dim=2).transpose(1, 2)


def packed(heads: Heads, packing: Packing) -> Tensor:
    out, weights = block_attention(torch.nn.Module(), *heads, None, SCALE, packing)
    assert weights is None
    return out


def one(prefix: int, lengths: list[int], method: Method = "rows") -> Packing:
    return Packing.of([prefix], [lengths], method=method).to("cpu")


def random_heads(tokens: int, heads: int, kv_heads: int) -> Heads:
    generator = torch.Generator().manual_seed(tokens)
    query, key, value = (
        torch.randn(1, count, tokens, D, generator=generator).requires_grad_()
        for count in (heads, kv_heads, kv_heads)
    )
    return query, key, value


@every_shape
@pytest.mark.parametrize(("heads", "kv_heads"), [(1, 1), (4, 4), (6, 2)])
@pytest.mark.parametrize("method", ["rows", "sdpa"])
def test_as_if_asked_alone(
    prefix: int, lengths: list[int], heads: int, kv_heads: int, method: Method
) -> None:
    inputs = random_heads(prefix + sum(lengths), heads, kv_heads)
    ours = packed(inputs, one(prefix, lengths, method))
    theirs = alone(inputs, prefix, lengths)
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)

    upstream = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(1))
    for a, b in zip(
        torch.autograd.grad(ours, inputs, upstream),
        torch.autograd.grad(theirs, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_a_question_sees_no_other_and_the_prefix_sees_none() -> None:
    query, key, value = random_heads(9, 2, 1)
    packing = one(3, [2, 4])
    before = packed((query, key, value), packing)
    other = value.detach().clone()
    other[:, :, 3:5] += 1.0  # question 1
    changed = (packed((query, key, other), packing) - before).abs().amax((0, 2, 3)) > 1e-6
    assert changed.tolist() == [False] * 3 + [True] * 2 + [False] * 4


ROWS = [(5, [7, 1]), (3, [4, 1, 9, 2]), (1, [1])]


# FlexAttention: test_runs_on_gpu
@pytest.mark.parametrize("method", ["rows", "sdpa"])
@pytest.mark.parametrize("total", [0, 30])
def test_rows_of_a_batch_are_as_if_alone(method: Method, total: int) -> None:
    packing = Packing.of(*zip(*ROWS, strict=True), total, method).to("cpu")
    heads = batch_of_heads(packing.segments.shape[1])
    together = packed(heads, packing)
    assert together.isfinite().all()
    for row, (prefix, lengths) in enumerate(ROWS):
        used = prefix + sum(lengths)
        query, key, value = (x[row : row + 1, :, :used] for x in heads)
        expected = alone((query, key, value), prefix, lengths)[0]
        torch.testing.assert_close(together[row, :used], expected, rtol=1e-5, atol=1e-5)


def test_gradients_of_a_batch_are_the_same_by_rows_and_by_a_mask() -> None:
    found = []
    methods: list[Method] = ["rows", "sdpa"]
    for method in methods:
        packing = Packing.of(*zip(*ROWS, strict=True), 30, method).to("cpu")
        heads = batch_of_heads(30)
        out = packed(heads, packing)[packing.segments >= 0]  # padding is nobody's
        found.append(torch.autograd.grad(out.square().sum(), heads))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def batch_of_heads(tokens: int) -> Heads:
    generator = torch.Generator().manual_seed(tokens)
    query, key, value = (
        torch.randn(len(ROWS), count, tokens, D, generator=generator).requires_grad_()
        for count in (6, 2, 2)
    )
    return query, key, value


def test_a_packing_of_other_rows_is_refused() -> None:
    query, key, value = (x.expand(2, -1, -1, -1) for x in random_heads(9, 2, 1))
    with pytest.raises(ValueError, match="1 x 9 tokens are described, there are 2 x 9"):
        packed((query, key, value), one(3, [2, 4]))
    with pytest.raises(ValueError, match="1 x 8 tokens are described, there are 1 x 9"):
        packed(random_heads(9, 2, 1), one(3, [2, 3]))


def test_a_cpu_computes_row_by_row() -> None:
    assert choose_method(torch.device("cpu")) == "rows"


# A whole model


def run(model: Any, ids: list[int], **inputs: Any) -> Tensor:
    """(T, V) logits of one sequence with a picture."""
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(2))
    out = model(input_ids=torch.tensor([ids]), pixel_values=pixels, use_cache=False, **inputs)
    return out.logits[0]


@pytest.mark.parametrize("lengths", [[1], [6], [4, 1, 9, 2]], ids=str)
def test_a_stock_model_runs_it_unchanged(small_model: Loaded, lengths: list[int]) -> None:
    model: Any = deepcopy(small_model.model)
    image = small_model.processor.tokenizer.convert_tokens_to_ids("<image>")
    prefix = [5, 6] + [image] * 16 + [7]
    generator = torch.Generator().manual_seed(3)
    questions = [torch.randint(0, 250, (n,), generator=generator).tolist() for n in lengths]

    expected = [run(model, prefix + question)[len(prefix) :] for question in questions]
    torch.cat(expected).square().sum().backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()

    model.model.language_model.set_attn_implementation(NAME)
    positions = list(range(len(prefix)))
    for length in lengths:
        positions += range(len(prefix), len(prefix) + length)
    logits = run(
        model,
        prefix + [token for question in questions for token in question],
        position_ids=torch.tensor([positions]),
        packing=one(len(prefix), lengths),
    )[len(prefix) :]
    torch.testing.assert_close(logits, torch.cat(expected), rtol=1e-5, atol=1e-5)

    logits.square().sum().backward()
    ours = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert ours.keys() == gradients.keys()
    assert len(ours) > 20
    # A key's bias moves no softmax: its gradient is nothing but noise of the size of all others'.
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-5 * largest)
