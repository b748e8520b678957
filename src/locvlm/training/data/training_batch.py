"""A batch as a model is given it, and what its layouts have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from locvlm.families import TOKEN_TYPES
from locvlm.models.image_masks import extend_image_masks
from locvlm.training.auxiliary.readout import ReadoutTargets
from locvlm.training.data.collator import EncodedConversation
from locvlm.training.tensor_record import TensorRecord


@dataclass(frozen=True)
class TrainingBatch(TensorRecord):
    """What a model is given, and which tokens it should predict."""

    inputs: dict[str, Any]  # of the model's `forward`
    labels: torch.Tensor  # (M,) the tokens that the loss is on
    logit_index: torch.Tensor  # (M,) which of the logits, all rows joined, predicts each of them
    weights: torch.Tensor  # (M,) of each in the loss; 1 in all
    images: int = 1
    answers: int = 1
    tokens: int = 0  # without padding
    pairs: int = 0  # of a token and one that it sees
    truncated: int = 0  # answers that were cut
    places: ReadoutTargets | None = None  # for the read-out; they count the tokens of all rows


def token_weights(learned: Sequence[torch.Tensor]) -> torch.Tensor:
    """(M,) every image counts the same, however many of its tokens are learned.

    Args:
        learned: of each image, the tokens that the loss is on.
    """
    return torch.cat([torch.full((len(of),), 1 / (len(of) * len(learned))) for of in learned])


def pad_to_row(
    item: EncodedConversation, length: int, learned: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """An image's inputs, those per token made as long as the row: (1, length)."""
    more = length - item.prefix
    inputs = extend_image_masks(dict(item.image_inputs), text=more)
    for name in TOKEN_TYPES:
        if name in inputs:
            inputs[name] = F.pad(inputs[name], (0, more))
    if learned is not None and item.answer_token_type and "token_type_ids" in inputs:
        types = inputs["token_type_ids"]
        inputs["token_type_ids"] = learned[None].to(types.dtype) * item.answer_token_type
    return inputs


def merge_inputs(images: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
    """The inputs of several rows as one; of images with fewer tiles, the missing are zeros."""
    merged: dict[str, Any] = {}
    for name in images[0]:
        parts = [image[name] for image in images]
        if isinstance(parts[0], list):  # Unlimited-OCR's numbers of tiles
            merged[name] = [each for part in parts for each in part]
            continue
        if parts[0].ndim > 2 and any(part.shape[1:] != parts[0].shape[1:] for part in parts):
            tiles = max(part.shape[1] for part in parts)
            parts = [_pad_tiles(part, tiles) for part in parts]
        merged[name] = torch.cat(parts)
    return merged


def _pad_tiles(part: torch.Tensor, count: int) -> torch.Tensor:
    """(1, tiles, …) with zeros up to `count` tiles."""
    missing = part.new_zeros(1, count - part.shape[1], *part.shape[2:])
    return torch.cat([part, missing], dim=1)


def pad_right(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    """A row of `length`, filled with `value`."""
    return F.pad(row, (0, length - len(row)), value=value)
