"""How pictures and their questions lie in the rows of a batch, and which token sees which.

Segment numbers of two rows; 0 is a picture with what stands before it, k its k-th question:

    [ 0 0 0 0 0 0 | 1 1 1 | 2 2 2 2 | -1 -1 ]
    [ 0 0 0 0 | 1 1 1 1 1 | 2 2 | 3 3 3 3 ]

A question sees its picture and, causally, itself, exactly as if it were asked alone. Padding (-1)
stands at the end, so that nothing but padding sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import torch
from torch.nn import functional as F
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from locvlm.training.tensor_record import TensorRecord

PADDING = -1
PREFIX = 0

# Who computes the attention: `rows` only what is allowed, one row after the other; the others a
# batch at once, `flex` leaving out blocks of 128 x 128 that hold nothing, `sdpa` nothing.
Method = Literal["rows", "flex", "sdpa"]


@dataclass(frozen=True)
class Blocks(TensorRecord):
    """How a packed sequence of P + sum(lengths) tokens divides."""

    prefix: int  # P, tokens of the picture and what stands before it
    gather: torch.Tensor  # (Q, L) index of each question's tokens after the prefix, padded with 0
    valid: torch.Tensor  # (Q, L) False at the padding
    valid_index: torch.Tensor  # (sum(lengths),) index of what is no padding, of Q * L

    @classmethod
    def of(cls, prefix: int, lengths: Sequence[int]) -> Blocks:
        """Blocks of questions with these token counts."""
        ends = torch.tensor(lengths).cumsum(0)
        offsets = torch.arange(max(lengths))
        valid = offsets < torch.tensor(lengths)[:, None]
        starts = (ends - torch.tensor(lengths))[:, None]
        valid_index = valid.flatten().nonzero()[:, 0]
        return cls(prefix, torch.where(valid, starts + offsets, 0), valid, valid_index)


@dataclass(frozen=True)
class Packing(TensorRecord):
    """The division of a batch of B rows of T tokens."""

    prefixes: tuple[int, ...]  # (B) tokens of each prefix
    lengths: tuple[tuple[int, ...], ...]  # (B) tokens of each question with its answer
    segments: torch.Tensor  # (B, T) int32
    method: Method = "rows"
    mask: BlockMask | torch.Tensor | None = None  # what `flex` and `sdpa` read; made by `to`

    @classmethod
    def of(
        cls,
        prefixes: Sequence[int],
        lengths: Sequence[Sequence[int]],
        total: int = 0,
        method: Method = "rows",
    ) -> Packing:
        """A packing of rows; `total`: tokens of every row, if more than the longest has."""
        rows = [
            _segment_numbers(prefix, each) for prefix, each in zip(prefixes, lengths, strict=True)
        ]
        total = max(total, *map(len, rows))
        segments = torch.stack([F.pad(r, (0, total - len(r)), value=PADDING) for r in rows])
        return cls(tuple(prefixes), tuple(map(tuple, lengths)), segments, method)

    @cached_property
    def blocks(self) -> tuple[Blocks, ...]:
        """(B) how each row divides, on the device of the segments."""
        blocks = map(Blocks.of, self.prefixes, self.lengths)
        return tuple(one.to(self.segments.device) for one in blocks)

    @property
    def tokens(self) -> int:
        """All that are no padding."""
        return sum(self.prefixes) + sum(map(sum, self.lengths))

    @property
    def pairs(self) -> int:
        """Pairs of a token and one that it sees."""
        return sum(
            prefix * (prefix + 1) // 2 + sum(n * prefix + n * (n + 1) // 2 for n in each)
            for prefix, each in zip(self.prefixes, self.lengths, strict=True)
        )

    def to(self, device: torch.device | str, *, non_blocking: bool = False, **_: Any) -> Self:
        """The same on another device, with the mask that its method needs there."""
        moved = replace(self, mask=None)._map(lambda t: t.to(device, non_blocking=non_blocking))
        return replace(moved, mask=_build_mask(moved.segments, self.method))


def visibility_rule(segments: torch.Tensor) -> Callable[..., torch.Tensor]:
    """Whether token `q` of row `b` sees token `k`, as FlexAttention asks; `segments` are (B, T)."""

    def mask(b: Any, h: Any, q: Any, k: Any) -> torch.Tensor:
        theirs = segments[b, k]
        return (q >= k) & ((theirs == PREFIX) | (theirs == segments[b, q]))

    return mask


def _build_mask(segments: torch.Tensor, method: Method) -> BlockMask | torch.Tensor | None:
    if method == "rows":
        return None
    count, total = segments.shape
    if method == "flex":
        device = str(segments.device)
        return create_block_mask(
            visibility_rule(segments), count, None, total, total, device=device
        )
    b = torch.arange(count, device=segments.device)[:, None, None]
    t = torch.arange(total, device=segments.device)
    return visibility_rule(segments)(b, None, t[:, None], t[None])[:, None]  # B, 1, T, T


def _segment_numbers(prefix: int, lengths: Sequence[int]) -> torch.Tensor:
    """(P + sum(lengths),) numbers of one row."""
    numbers = torch.arange(len(lengths) + 1, dtype=torch.int32)
    return numbers.repeat_interleave(torch.tensor([prefix, *lengths]))
