"""How encoded conversations are laid out for a model's `forward`.

`packed`: an image and all of its questions as one row, the image paid for once. Exact where the
language model is causal and lets its attention be replaced (`block_attention`).

    [ prefix | question 1 + answer | question 2 + answer | … ]
    [ prefix | question 1 + answer | pad pad ]

`padded`: a row per question, for every model. Padding is on the left, so that the answers, of which
alone logits are needed, stand at the end of all rows.

    [ pad pad | prefix | question 1 + answer ]
    [     prefix | question 2 + long answer  ]

Which tokens the loss is on is decided before, by `collator.label_answers`; here it is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional as F

from locvlm.compat.logits_to_keep import KEEPS_PER_ROW
from locvlm.errors import InputError
from locvlm.families import TOKEN_TYPES, get_family
from locvlm.training.auxiliary.attention_guidance import Guides
from locvlm.training.auxiliary.readout import ReadoutTargets
from locvlm.training.data.collator import IGNORED, EncodedConversation
from locvlm.training.data.packing import Method, Packing
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


@dataclass(frozen=True)
class TrainingBatch:
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

    def to(
        self, device: torch.device | str, *, non_blocking: bool = False, **_: Any
    ) -> TrainingBatch:
        """The same on another device."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TrainingBatch:
        """The same in memory from which a GPU can copy by itself."""
        return self._map(lambda value: value.pin_memory())

    def _map(self, change: Callable[[Any], Any]) -> TrainingBatch:
        """With every tensor, and what holds tensors, changed."""
        inputs = {
            name: change(value) if isinstance(value, torch.Tensor | Packing | Guides) else value
            for name, value in self.inputs.items()
        }
        return replace(
            self,
            inputs=inputs,
            labels=change(self.labels),
            logit_index=change(self.logit_index),
            weights=change(self.weights),
            places=None if self.places is None else change(self.places),
        )


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
    before = torch.stack([_pad_right(index - 1, most, 0) for index in learned])
    packing = Packing.of([i.prefix for i in items], [i.lengths for i in items], total, method)
    inputs = {
        **_merge_inputs([_pad_to_row(i, total) for i in items]),
        "input_ids": torch.stack([_pad_right(item.input_ids, total, pad) for item in items]),
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
        weights=_token_weights(learned),
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
        return torch.stack([_pad_right(item.position_ids, total, 0) for item in items])
    rows = []
    for item in items:
        read = ("image_grid_thw", "mm_token_type_ids")
        image = {name: value for name, value in item.image_inputs.items() if name in read}
        prefix, shift = rope_index(input_ids=item.input_ids[None, : item.prefix], **image)
        after = item.position_ids[item.prefix :] + shift
        row = torch.cat([prefix, after.expand(3, 1, -1)], dim=-1)
        rows.append(F.pad(row, (0, total - row.shape[-1])))
    return torch.cat(rows, dim=1)


def build_padded_batch(items: Sequence[EncodedConversation], pad: int) -> TrainingBatch:
    """A row per question of all images; `pad` is the token that fills rows."""
    rows = [row for item in items for row in item.rows()]
    image_index = _image_index(items)
    longest = max(len(ids) for ids, _ in rows)
    labels = torch.stack([_pad_left(row, longest, IGNORED) for _, row in rows])
    most = int((labels != IGNORED).sum(1).max())
    images = [
        _pad_to_row(items[image], len(ids), row != IGNORED)
        for image, (ids, row) in zip(image_index, rows, strict=True)
    ]
    inputs = {
        "input_ids": torch.stack([_pad_left(ids, longest, pad) for ids, _ in rows]),
        "attention_mask": torch.stack([_pad_left(torch.ones_like(i), longest, 0) for i, _ in rows]),
        **_merge_inputs([_pad_inputs_left(image, longest) for image in images]),
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
    labels = torch.stack([_pad_right(answer, most, IGNORED) for answer in answers])
    images = [_pad_inputs_left(dict(items[image].image_inputs), longest) for image in image_index]
    inputs = {
        "input_ids": torch.stack([_pad_right(ids, longest, pad) for ids in prompts]),
        "attention_mask": torch.stack(
            [_pad_right(torch.ones_like(ids), longest, 0) for ids in prompts]
        ),
        **_merge_inputs(images),
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
        weights=_token_weights(of_image),
        images=len(items),
        answers=len(labels),
        tokens=sum(prefix + length for prefix, length in lengths),
        pairs=sum((p + n) * (p + n + 1) // 2 for p, n in lengths),
        truncated=sum(item.truncated for item in items),
    )


def _token_weights(learned: Sequence[torch.Tensor]) -> torch.Tensor:
    """(M,) every image counts the same, however many of its tokens are learned.

    Args:
        learned: of each image, the tokens that the loss is on.
    """
    return torch.cat([torch.full((len(of),), 1 / (len(of) * len(learned))) for of in learned])


def _pad_to_row(
    item: EncodedConversation, length: int, learned: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """An image's inputs, those per token made as long as the row: (1, length)."""
    inputs = dict(item.image_inputs)
    for name in TOKEN_TYPES:
        if name in inputs:
            inputs[name] = F.pad(inputs[name], (0, length - item.prefix))
    if learned is not None and item.answer_token_type and "token_type_ids" in inputs:
        types = inputs["token_type_ids"]
        inputs["token_type_ids"] = learned[None].to(types.dtype) * item.answer_token_type
    return inputs


def _pad_inputs_left(image: dict[str, torch.Tensor], longest: int) -> dict[str, torch.Tensor]:
    """Those per token padded on the left: (1, longest)."""
    return {
        name: F.pad(part, (longest - part.shape[1], 0)) if name in TOKEN_TYPES else part
        for name, part in image.items()
    }


def _merge_inputs(images: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
    """The inputs of several rows as one; of images with fewer tiles, the missing are zeros."""
    merged = {}
    for name in images[0]:
        parts = [image[name] for image in images]
        if parts[0].ndim > 2 and any(part.shape[1:] != parts[0].shape[1:] for part in parts):
            tiles = max(part.shape[1] for part in parts)
            parts = [_pad_tiles(part, tiles) for part in parts]
        merged[name] = torch.cat(parts)
    return merged


def _pad_tiles(part: torch.Tensor, count: int) -> torch.Tensor:
    """(1, tiles, …) with zeros up to `count` tiles."""
    missing = part.new_zeros(1, count - part.shape[1], *part.shape[2:])
    return torch.cat([part, missing], dim=1)


def _pad_left(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (length - len(row), 0), value=value)


def _pad_right(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (0, length - len(row)), value=value)
