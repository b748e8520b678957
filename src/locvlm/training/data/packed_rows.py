"""The layout `packed`: an image and all of its questions as one row, the image paid for once.

Exact where the language model is causal and lets its attention be replaced (`block_attention`).

    [ prefix | question 1 + answer | question 2 + answer | … ]
    [ prefix | question 1 + answer | pad pad ]

Which tokens the loss is on is decided before, by `collator.label_answers`; here it is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional as F

from locvlm.compat.logits_to_keep import KEEPS_PER_ROW
from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.training.auxiliary.attention_guidance import Guides
from locvlm.training.auxiliary.readout import ReadoutTargets
from locvlm.training.data.collator import IGNORED, EncodedConversation
from locvlm.training.data.packing import Method, Packing
from locvlm.training.data.training_batch import (
    TrainingBatch,
    merge_inputs,
    pad_right,
    pad_to_row,
    token_weights,
)
from locvlm.training.recipe import Recipe


def should_pack(kind: str, recipe: Recipe) -> bool:
    """Whether a recipe lays out an image and its questions as one row.

    Args:
        kind: `model_type` of the model's configuration.
        recipe: of the run.

    Raises:
        InputError: it asks for what its model does not allow.
    """
    packable = get_family(kind).packable
    if recipe.layout == "packed" and not packable:
        raise InputError(f"layout: packed: a {kind} cannot be packed; choose auto or padded")
    return packable and recipe.layout != "padded"


def build_packed_batch(
    items: Sequence[EncodedConversation],
    pad: int = 0,
    *,
    guided: bool = False,
    rope_index: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None,
    method: Method = "rows",
    bucket: Callable[[int], int] = int,
) -> TrainingBatch:
    """A row per image with its questions.

    Args:
        items: the images and their questions (B).
        pad: a token of text, which fills rows.
        guided: the model is to note where it looks.
        rope_index: of a model whose positions are in time, height and width (Qwen2-VL and later).
        method: of the attention.
        bucket: the length of all rows by that of the longest; by default the same.

    Raises:
        InputError: several rows, and a transformers that takes one.
    """
    if len(items) > 1 and not KEEPS_PER_ROW:
        raise InputError(
            "batch: this transformers keeps logits at the same places of all rows; upgrade it, or "
            "set batch to 1"
        )
    total = bucket(max(len(item.input_ids) for item in items))
    # Every question begins with tokens that are not learned, so the one before a learned token
    # belongs to the same question
    learned = [(item.labels != IGNORED).nonzero()[:, 0] for item in items]
    most = max(map(len, learned))
    before = torch.stack([pad_right(index - 1, most, 0) for index in learned])
    packing = Packing.of([i.prefix for i in items], [i.lengths for i in items], total, method)
    inputs = {
        **merge_inputs([pad_to_row(i, total) for i in items]),
        "input_ids": torch.stack([pad_right(item.input_ids, total, pad) for item in items]),
        "position_ids": _positions(items, rope_index, total),
        "logits_to_keep": before if len(items) > 1 else before[0],
        "packing": packing,
    }
    if guided:
        inputs["guides"] = Guides(tuple(item.guide for item in items))
    places = [item.places for item in items if item.places is not None]
    return TrainingBatch(
        inputs,
        labels=torch.cat([item.labels[index] for item, index in zip(items, learned, strict=True)]),
        logit_index=torch.cat(
            [torch.arange(len(index)) + row * most for row, index in enumerate(learned)]
        ),
        weights=token_weights(learned),
        images=len(items),
        answers=sum(len(item.lengths) for item in items),
        tokens=packing.tokens,
        pairs=packing.pairs,
        truncated=sum(item.truncated for item in items),
        places=ReadoutTargets.merge(places, total) if places else None,
    )


def _positions(
    items: Sequence[EncodedConversation],
    rope_index: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None,
    total: int,
) -> torch.Tensor:
    """(B, T), or (3, B, T) where an image takes up less room than it has tokens."""
    if rope_index is None:
        return torch.stack([pad_right(item.position_ids, total, 0) for item in items])
    rows = []
    for item in items:
        read = ("image_grid_thw", "mm_token_type_ids")
        image = {name: value for name, value in item.image_inputs.items() if name in read}
        prefix, shift = rope_index(input_ids=item.input_ids[None, : item.prefix], **image)
        after = item.position_ids[item.prefix :] + shift
        row = torch.cat([prefix, after.expand(3, 1, -1)], dim=-1)
        rows.append(F.pad(row, (0, total - row.shape[-1])))
    return torch.cat(rows, dim=1)
