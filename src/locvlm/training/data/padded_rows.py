"""The layout `padded`: a row per question, for every model.

Padding is on the left, so that the answers, of which alone logits are needed, stand at the end of
all rows. An encoder–decoder reads the question and writes the answer, each padded on the right.

    [ pad pad | prefix | question 1 + answer ]
    [     prefix | question 2 + long answer  ]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from locvlm.families import IMAGE_MASKS, TOKEN_TYPES
from locvlm.models.image_masks import extend_image_masks
from locvlm.training.data.collator import IGNORED, EncodedConversation
from locvlm.training.data.training_batch import (
    TrainingBatch,
    merge_inputs,
    pad_right,
    pad_to_row,
    token_weights,
)


def build_padded_batch(items: Sequence[EncodedConversation], pad: int) -> TrainingBatch:
    """A row per question of all images; `pad` is the token that fills rows."""
    rows = [row for item in items for row in item.rows()]
    image_index = _image_index(items)
    longest = max(len(ids) for ids, _ in rows)
    labels = torch.stack([_pad_left(row, longest, IGNORED) for _, row in rows])
    most = int((labels != IGNORED).sum(1).max())
    images = [
        pad_to_row(items[image], len(ids), row != IGNORED)
        for image, (ids, row) in zip(image_index, rows, strict=True)
    ]
    inputs = {
        "input_ids": torch.stack([_pad_left(ids, longest, pad) for ids, _ in rows]),
        "attention_mask": torch.stack([_pad_left(torch.ones_like(i), longest, 0) for i, _ in rows]),
        **merge_inputs([_pad_inputs_left(image, longest) for image in images]),
        "logits_to_keep": most + 1,
    }
    labels = F.pad(labels[:, -most:], (0, 1), value=IGNORED)  # the last logit has no next token
    return _build_row_per_question(items, inputs, labels, image_index)


def build_encoder_decoder_batch(items: Sequence[EncodedConversation], pad: int) -> TrainingBatch:
    """A row per question for an encoder–decoder: it reads the prompt and writes the answer."""
    rows = [row for item in items for row in item.rows()]
    image_index = _image_index(items)
    prompts = [ids[labels == IGNORED] for ids, labels in rows]
    answers = [labels[labels != IGNORED] for _, labels in rows]
    longest, most = max(map(len, prompts)), max(map(len, answers))
    labels = torch.stack([pad_right(answer, most, IGNORED) for answer in answers])
    images = [pad_to_row(items[image], longest) for image in image_index]
    inputs = {
        "input_ids": torch.stack([pad_right(ids, longest, pad) for ids in prompts]),
        "attention_mask": torch.stack(
            [pad_right(torch.ones_like(ids), longest, 0) for ids in prompts]
        ),
        **merge_inputs(images),
        "labels": labels,  # the model shifts them into its decoder
    }
    return _build_row_per_question(items, inputs, labels, image_index)


def _image_index(items: Sequence[EncodedConversation]) -> list[int]:
    """The image that the question of each row is about."""
    return [number for number, item in enumerate(items) for _ in item.lengths]


def _build_row_per_question(
    items: Sequence[EncodedConversation],
    inputs: dict[str, Any],
    labels: torch.Tensor,
    image_index: Sequence[int],
) -> TrainingBatch:
    """A batch whose logits (R, K) should predict `labels` (R, K), where these are not IGNORED."""
    learned = [(labels[row] != IGNORED).nonzero()[:, 0] for row in range(len(labels))]
    logit_index = torch.cat([at + row * labels.shape[1] for row, at in enumerate(learned)])
    of_image = [
        torch.cat([at for at, image in zip(learned, image_index, strict=True) if image == number])
        for number in range(len(items))
    ]
    lengths = [(item.prefix, length) for item in items for length in item.lengths]
    return TrainingBatch(
        inputs,
        labels=labels.flatten()[logit_index],
        logit_index=logit_index,
        weights=token_weights(of_image),
        images=len(items),
        answers=len(labels),
        tokens=sum(prefix + length for prefix, length in lengths),
        pairs=sum((p + n) * (p + n + 1) // 2 for p, n in lengths),
        truncated=sum(item.truncated for item in items),
    )


def _pad_inputs_left(image: dict[str, torch.Tensor], longest: int) -> dict[str, torch.Tensor]:
    """Those per token padded on the left: (1, longest)."""
    padded = {
        name: F.pad(part, (longest - part.shape[1], 0)) if name in TOKEN_TYPES else part
        for name, part in image.items()
    }
    lengths = [image[name].shape[1] for name in IMAGE_MASKS if name in image]
    return extend_image_masks(padded, padding=longest - min(lengths, default=longest))


def _pad_left(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (length - len(row), 0), value=value)
