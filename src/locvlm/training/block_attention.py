"""Many questions on one picture in one sequence, none of which sees another.

    [ picture prefix | question 1 + answer | question 2 + answer | ... ]

Every question attends to the prefix and, causally, to itself, and its positions start right after
the prefix: exactly as if it were asked alone, but the picture is paid for once. A dense (T, T) mask
would say the same and cost several times more; here only the allowed pairs are computed.

Registered with transformers under `NAME`, so the stock model runs it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F
from transformers import AttentionInterface, PreTrainedModel

from locvlm.training.guidance import Guide

NAME = "locvlm_blocks"


@dataclass(frozen=True)
class Blocks:
    """How a packed sequence of T = P + sum(lengths) tokens divides."""

    prefix: int  # P, tokens of the picture and what stands before it
    gather: torch.Tensor  # (Q, L) index of each question's tokens after the prefix, padded with 0
    valid: torch.Tensor  # (Q, L) False at the padding
    kept: torch.Tensor  # (T - P,) index of what is no padding, of Q * L

    @classmethod
    def of(cls, prefix: int, lengths: list[int]) -> Blocks:
        """Blocks of questions with these token counts."""
        ends = torch.tensor(lengths).cumsum(0)
        offsets = torch.arange(max(lengths))
        valid = offsets < torch.tensor(lengths)[:, None]
        starts = (ends - torch.tensor(lengths))[:, None]
        kept = valid.flatten().nonzero()[:, 0]
        return cls(prefix, torch.where(valid, starts + offsets, 0), valid, kept)

    def to(self, device: torch.device | str) -> Blocks:
        """The same on another device."""
        moved = (tensor.to(device) for tensor in (self.gather, self.valid, self.kept))
        return Blocks(self.prefix, *moved)


def block_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    blocks: Blocks,
    guide: Guide | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one packed sequence.

    Args:
        query: (1, H, T, d); key and value: (1, K, T, d) with H a multiple of K heads.
        guide: is shown the attention of the questions' tokens.

    Returns:
        (1, T, H, d), and None for the weights, which are not kept.

    Raises:
        ValueError: more than one sequence, or one that `blocks` does not describe.
    """
    if query.shape[0] != 1:
        raise ValueError(f"blocks describe one packed sequence, not {query.shape[0]}")
    prefix = blocks.prefix
    seen = F.scaled_dot_product_attention(
        query[:, :, :prefix],
        key[:, :, :prefix],
        value[:, :, :prefix],
        is_causal=True,
        scale=scaling,
        enable_gqa=True,
    )
    look = None if guide is None else partial(guide.watch, int(module.layer_idx))  # type: ignore[arg-type]
    asked = _questions(query[0], key[0], value[0], scaling, blocks, look)
    if prefix + asked.shape[1] != query.shape[2]:
        described = f"{prefix} + {asked.shape[1]} tokens"
        raise ValueError(f"blocks describe {described}, the sequence has {query.shape[2]}")
    return torch.cat([seen[0], asked], dim=1).transpose(0, 1)[None], None


def _questions(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    blocks: Blocks,
    look: Callable[[torch.Tensor], None] | None,
) -> torch.Tensor:
    """(H, T - P, d) attention of the questions' tokens to the prefix and to their own question."""
    heads, _, d = query.shape
    kv_heads, prefix = key.shape[0], blocks.prefix
    count, length = blocks.gather.shape
    # (K, G, Q, L, d): G query heads share one key head
    q = query[:, prefix:][:, blocks.gather] * scaling
    q = q.view(kv_heads, heads // kv_heads, count, length, d)
    own_key = key[:, prefix:][:, blocks.gather][:, None]  # (K, 1, Q, L, d)
    own_value = value[:, prefix:][:, blocks.gather][:, None]

    to_prefix = q.flatten(1, 3) @ key[:, :prefix].mT  # (K, G*Q*L, P)
    to_own = q @ own_key.mT  # (K, G, Q, L, L)
    future = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)
    to_own = to_own.masked_fill(future, float("-inf"))
    scores = torch.cat([to_prefix.view(*to_own.shape[:-1], prefix), to_own], dim=-1)
    weights = scores.softmax(-1).to(value.dtype)
    if look is not None:
        look(weights)

    on_prefix, on_own = weights.split([prefix, length], dim=-1)
    out = on_prefix.flatten(1, 3) @ value[:, :prefix]
    out = out.view(q.shape) + on_own @ own_value
    # by index: how many a mask holds, the CPU would have to ask the GPU
    return out.reshape(heads, count * length, d)[:, blocks.kept]


@contextmanager
def attending(model: PreTrainedModel) -> Iterator[None]:
    """While it lasts, the language model of `model` attends in blocks."""
    before = model.config.text_config._attn_implementation
    model.set_attn_implementation({"text_config": NAME})
    try:
        yield
    finally:
        model.set_attn_implementation({"text_config": before})


AttentionInterface.register(NAME, block_attention)
