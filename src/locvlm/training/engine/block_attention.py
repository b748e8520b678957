"""Attention of packed rows: many questions on one picture, none of which sees another.

Every question attends to the prefix and, causally, to itself, and its positions start right after
the prefix: exactly as if it were asked alone, but the picture is paid for once (`packing`).

On a CPU only the allowed pairs are computed, row by row: a dense (T, T) mask would say the same and
cost several times more. On a GPU FlexAttention takes all rows at once and leaves out blocks that
hold nothing; where it cannot run, PyTorch's attention with a dense mask.

Registered with transformers under `NAME`, so the stock model runs it unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.flex_attention import flex_attention_forward

from locvlm.compat.model_layers import use_text_attention
from locvlm.training.auxiliary.attention_guidance import Guides
from locvlm.training.data.packing import Blocks, Method, Packing

NAME = "locvlm_blocks"
FLEX_CAPABILITY = (8, 0)  # of NVIDIA GPUs (Ampere), for which Triton's kernels of it are made


def choose_method(device: torch.device, *, guided: bool = False) -> Method:
    """How a device computes packed attention; guided attention needs its weights, so `rows`."""
    if guided or device.type != "cuda":
        return "rows"
    able = torch.cuda.get_device_capability(device) >= FLEX_CAPABILITY and torch.version.hip is None
    return "flex" if able and find_spec("triton") is not None else "sdpa"


def block_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    packing: Packing,
    guides: Guides | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of packed rows.

    Args:
        query: (B, H, T, d); key and value: (B, K, T, d) with H a multiple of K heads.
        packing: how the rows divide.
        guides: are shown the attention of the questions' tokens; with the method `rows` alone.

    Returns:
        (B, T, H, d), and None for the weights, which are not kept.

    Raises:
        ValueError: rows that `packing` does not describe.
    """
    if packing.mask is None:
        return _attend_by_rows(module, query, key, value, scaling, packing, guides), None
    if isinstance(packing.mask, BlockMask):
        out, _ = flex_attention_forward(module, query, key, value, packing.mask, scaling)
        return out, None
    return _attend(query, key, value, packing.mask, scaling=scaling).transpose(1, 2), None


def _attend_by_rows(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    packing: Packing,
    guides: Guides | None,
) -> torch.Tensor:
    """(B, T, H, d); nothing at the padding."""
    count, _, total, _ = query.shape
    if packing.segments.shape != (count, total):
        described = " x ".join(map(str, packing.segments.shape))
        raise ValueError(f"{described} tokens are described, there are {count} x {total}")
    rows = []
    for row, blocks in enumerate(packing.blocks):
        look = None
        if guides is not None:
            depth = module.config.num_hidden_layers  # type: ignore[union-attr]
            look = partial(guides.rows[row].record_attention, int(module.layer_idx), depth)  # type: ignore[arg-type]
        length = blocks.prefix + len(blocks.valid_index)
        q, k, v = (heads[row, :, :length] for heads in (query, key, value))  # without the padding
        before = (heads[None, :, : blocks.prefix] for heads in (q, k, v))
        prefix = _attend(*before, scaling=scaling)
        questions = _attend_questions(q, k, v, scaling, blocks, look)
        rows.append(F.pad(torch.cat([prefix[0], questions], dim=1), (0, 0, 0, total - length)))
    return torch.stack(rows).transpose(1, 2)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    scaling: float,
) -> torch.Tensor:
    """(B, H, T, d) of all pairs that `mask` allows; without one, causal."""
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=True
    )


def _attend_questions(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    blocks: Blocks,
    look: Callable[[torch.Tensor], None] | None,
) -> torch.Tensor:
    """(H, T - P, d) attention of the questions' tokens to the prefix and to their own question.

    Of one row, without its padding: query (H, T, d), key and value (K, T, d).
    """
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
    return out.reshape(heads, count * length, d)[:, blocks.valid_index]


def use_block_attention(model: PreTrainedModel) -> AbstractContextManager[None]:
    """While it lasts, the language model of `model` attends in blocks."""
    return use_text_attention(model, NAME)


AttentionInterface.register(NAME, block_attention)
