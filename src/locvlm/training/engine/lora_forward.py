"""Low-rank updates without passes of their own over the activations, and none lost to rounding.

PEFT computes W·x, rounds it, and adds B·(A·x): the layer's output is read and written once more,
and in 16 bits an update that is smaller than half a step of the output changes nothing.

Where a pass has few tokens, the update is added within the product W·x, before it is rounded: what
is beyond a step of the output then still shows, on the average over tokens.

Where it has many, W + B·A is formed first and multiplied once. Gradients are those of A and B,
without the one of W; what is formed is not kept but formed again for them. The sum is formed in
float32. To be multiplied in bfloat16 it is rounded up or down by thresholds that are spread evenly
over the weights: rounded to the nearest, all updates smaller than half a step of W would vanish
together; so, of the weights whose update is a tenth of a step, a tenth move by a whole one.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from locvlm.compat.lora_linear import LoraLinear, exchange_class

# Tokens of a pass, as a multiple of in·out / (in + out), from which on forming is cheaper than
# adding, by what is multiplied. Measured on a CPU (`benchmarks/lora.py layers`); in bfloat16
# products are fast, and rounding takes time. A GPU, whose small operations `compile` joins, may
# gain sooner. In float16 never: to the nearest, small updates would be lost.
WORTH = {torch.bfloat16: 16.0, torch.float32: 3.0}


class _FormedProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, by: float
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight, a, b)
        ctx.by = by
        return x @ form_weight(weight, a, b, by, x.dtype).T

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:  # type: ignore[override]
        x, weight, a, b = ctx.saved_tensors
        grad = grad.to(x.dtype)
        to_x = to_a = to_b = None
        if ctx.needs_input_grad[0]:
            to_x = grad @ form_weight(weight, a, b, ctx.by, x.dtype)
        tokens, grads = x.flatten(0, -2), grad.flatten(0, -2)
        if ctx.needs_input_grad[2]:
            to_a = ctx.by * (grads @ b.to(x.dtype)).T @ tokens
        if ctx.needs_input_grad[3]:
            to_b = grads.T @ (tokens @ a.to(x.dtype).T * ctx.by)
        return to_x, None, to_a, to_b, None


def form_weight(
    weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, by: float, dtype: torch.dtype
) -> torch.Tensor:
    """(out, in) W + by · B·A in `dtype`.

    Args:
        weight: (out, in) W.
        a: (rank, in); b: (out, rank).
        by: alpha / rank.
        dtype: of the product that follows.
    """
    with torch.autocast(weight.device.type, enabled=False):
        exact = torch.addmm(weight.float(), b.float(), a.float(), alpha=by)
        return round_evenly(exact) if dtype == torch.bfloat16 else exact.to(dtype)


def round_evenly(exact: torch.Tensor) -> torch.Tensor:
    """bfloat16 of float32, up in the share of the places that the part beyond it says.

    What bfloat16 can say stays as it is.
    """
    places = torch.arange(exact.numel(), device=exact.device, dtype=torch.int32)
    thresholds = (places * 40503).bitwise_and_(0xFFFF).view_as(exact)  # 40503 / 65536: golden ratio
    bits = exact.view(torch.int32).add(thresholds).bitwise_and_(-0x10000)
    # NaN and infinity have no steps
    return torch.where(exact.isfinite(), bits.view(torch.float32), exact).to(torch.bfloat16)


def add_within(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, by: float
) -> torch.Tensor:
    """(…, out) x · (W + by · B·A)ᵀ of x (…, in), rounded once; else as `form`."""
    update = F.linear(F.linear(x, a.to(x.dtype)) * by, b.to(x.dtype))
    out = torch.addmm(update.flatten(0, -2), x.flatten(0, -2), weight.to(x.dtype).T)
    return out.view_as(update)


class FormedLinear(LoraLinear):
    """A layer of PEFT whose update is added within the product, or formed with its weights."""

    def multiply(
        self, x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, by: float
    ) -> torch.Tensor:
        """What is cheaper for so many tokens."""
        rows, columns = weight.shape
        enough = WORTH.get(x.dtype, math.inf) * rows * columns / (rows + columns)
        compute = add_within if x.shape[:-1].numel() < enough else _FormedProduct.apply
        return compute(x, weight, a, b, by)


def form_updates(model: nn.Module) -> AbstractContextManager[int]:
    """While it lasts, updates are added within products, or formed; gives the layers' number.

    What cannot be formed (4-bit weights, dropout, DoRA) keeps PEFT's own forward.
    """
    return exchange_class(model, FormedLinear)
