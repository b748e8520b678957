"""How encoded conversations are laid out for a model's `forward`.

`packed`: a picture and all of its questions as one row, the picture paid for once. Exact where the
language model is causal and lets its attention be replaced (`block_attention`).

    [ prefix | question 1 + answer | question 2 + answer | … ]
    [ prefix | question 1 + answer | pad pad ]

`padded`: a row per question, for every model. Padding is on the left, so that the answers, of which
alone logits are needed, stand at the end of all rows.

    [ pad pad | prefix | question 1 + answer ]
    [     prefix | question 2 + long answer  ]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F
from transformers import modeling_utils

from locvlm.errors import InputError
from locvlm.families import TOKEN_TYPES, get_family
from locvlm.training.auxiliary.attention_guidance import Guides
from locvlm.training.auxiliary.readout import ReadoutTargets
from locvlm.training.data.collator import IGNORED, EncodedConversation
from locvlm.training.data.packing import Method, Packing
from locvlm.training.recipe import Recipe

# Whether transformers takes other positions of each row for the logits (since 5.20 or so)
KEEPS_PER_ROW = hasattr(modeling_utils, "slice_logits_to_keep")


def should_pack(kind: str, recipe: Recipe) -> bool:
    """Whether a recipe lays out pictures and their questions as one row each.

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
    """What a model is given, and what it should say."""

    inputs: dict[str, Any]  # of the model's `forward`
    goal: torch.Tensor  # (M,) the learned tokens
    learned: torch.Tensor  # (M,) which of the model's logits, all rows after each other, says each
    weight: torch.Tensor  # (M,) what each counts in the loss; 1 in all
    pictures: int = 1
    answers: int = 1
    tokens: int = 0  # without padding
    pairs: int = 0  # of a token and one that it sees
    truncated: int = 0  # answers that were cut
    places: ReadoutTargets | None = None  # that are read out; `at` of all rows after each other

    def to(
        self, device: torch.device | str, *, non_blocking: bool = False, **_: Any
    ) -> TrainingBatch:
        """The same on another device."""
        return self._changed(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TrainingBatch:
        """The same in memory from which a GPU can copy by itself."""
        return self._changed(lambda value: value.pin_memory())

    def _changed(self, change: Callable[[Any], Any]) -> TrainingBatch:
        inputs = {
            name: change(value) if isinstance(value, torch.Tensor | Packing | Guides) else value
            for name, value in self.inputs.items()
        }
        tensors = {name: change(getattr(self, name)) for name in ("goal", "learned", "weight")}
        return TrainingBatch(
            inputs,
            **tensors,
            pictures=self.pictures,
            answers=self.answers,
            tokens=self.tokens,
            pairs=self.pairs,
            truncated=self.truncated,
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
    """A row per picture with its questions.

    Args:
        items: the pictures and their questions (B).
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
    # Every question begins with asked tokens, so the one before a learned token is its own
    said = [(item.labels != IGNORED).nonzero()[:, 0] for item in items]
    most = max(map(len, said))
    places = torch.stack([_pad_right(at - 1, most, 0) for at in said])
    packing = Packing.of([i.prefix for i in items], [i.lengths for i in items], total, method)
    inputs = {
        **_merge_inputs([_pad_to_row(i, total) for i in items]),
        "input_ids": torch.stack([_pad_right(item.input_ids, total, pad) for item in items]),
        "position_ids": _positions(items, rope_index, total),
        "logits_to_keep": places if len(items) > 1 else places[0],
        "packing": packing,
    }
    if guided:
        inputs["guides"] = Guides(tuple(item.guide for item in items))
    spoken = [item.places for item in items if item.places is not None]
    return TrainingBatch(
        inputs,
        torch.cat([item.labels[at] for item, at in zip(items, said, strict=True)]),
        torch.cat([torch.arange(len(at)) + row * most for row, at in enumerate(said)]),
        _token_weights(said),
        pictures=len(items),
        answers=sum(len(item.lengths) for item in items),
        tokens=packing.tokens,
        pairs=packing.pairs,
        truncated=sum(item.truncated for item in items),
        places=ReadoutTargets.together(spoken, total) if spoken else None,
    )


def _positions(
    items: Sequence[EncodedConversation],
    rope_index: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None,
    total: int,
) -> torch.Tensor:
    """(B, T), or (3, B, T) where a picture takes up less room than it has tokens."""
    if rope_index is None:
        return torch.stack([_pad_right(item.position_ids, total, 0) for item in items])
    rows = []
    for item in items:
        asked = ("image_grid_thw", "mm_token_type_ids")
        picture = {name: value for name, value in item.picture.items() if name in asked}
        seen, shift = rope_index(input_ids=item.input_ids[None, : item.prefix], **picture)
        after = item.position_ids[item.prefix :] + shift
        row = torch.cat([seen, after.expand(3, 1, -1)], dim=-1)
        rows.append(F.pad(row, (0, total - row.shape[-1])))
    return torch.cat(rows, dim=1)


def build_padded_batch(items: Sequence[EncodedConversation], pad: int) -> TrainingBatch:
    """A row per question of all pictures; `pad` is the token that fills rows."""
    rows = [row for item in items for row in item.rows()]
    owner = [number for number, item in enumerate(items) for _ in item.lengths]
    longest = max(len(ids) for ids, _ in rows)
    labels = torch.stack([_pad_left(labels, longest, IGNORED) for _, labels in rows])
    most = int((labels != IGNORED).sum(1).max())
    pictures = [
        _pad_to_row(items[number], len(ids), said != IGNORED)
        for number, (ids, said) in zip(owner, rows, strict=True)
    ]
    inputs = {
        "input_ids": torch.stack([_pad_left(ids, longest, pad) for ids, _ in rows]),
        "attention_mask": torch.stack([_pad_left(torch.ones_like(i), longest, 0) for i, _ in rows]),
        **_merge_inputs([_pad_inputs_left(picture, longest) for picture in pictures]),
        "logits_to_keep": most + 1,
    }
    goal = F.pad(labels[:, -most:], (0, 1), value=IGNORED)  # the last logit has no next token
    return _build_row_per_question(items, inputs, goal, owner)


def build_encoder_decoder_batch(items: Sequence[EncodedConversation], pad: int) -> TrainingBatch:
    """A row per question for an encoder–decoder: it reads the prompt and writes the answer."""
    rows = [row for item in items for row in item.rows()]
    owner = [number for number, item in enumerate(items) for _ in item.lengths]
    asked = [ids[labels == IGNORED] for ids, labels in rows]
    answers = [labels[labels != IGNORED] for _, labels in rows]
    longest, most = max(map(len, asked)), max(map(len, answers))
    goal = torch.stack([_pad_right(answer, most, IGNORED) for answer in answers])
    pictures = [_pad_inputs_left(dict(items[number].picture), longest) for number in owner]
    inputs = {
        "input_ids": torch.stack([_pad_right(ids, longest, pad) for ids in asked]),
        "attention_mask": torch.stack([_pad_right(torch.ones_like(i), longest, 0) for i in asked]),
        **_merge_inputs(pictures),
        "labels": goal,  # the model shifts them into its decoder
    }
    return _build_row_per_question(items, inputs, goal, owner)


def _build_row_per_question(
    items: Sequence[EncodedConversation],
    inputs: dict[str, Any],
    goal: torch.Tensor,
    owner: Sequence[int],
) -> TrainingBatch:
    """A batch of a row per question, of which `goal` (R, K) says what each logit should choose."""
    rows = [(goal[row] != IGNORED).nonzero()[:, 0] for row in range(len(goal))]
    learned = torch.cat([at + row * goal.shape[1] for row, at in enumerate(rows)])
    of_picture = [
        torch.cat([at for at, number in zip(rows, owner, strict=True) if number == n])
        for n in range(len(items))
    ]
    lengths = [(item.prefix, length) for item in items for length in item.lengths]
    return TrainingBatch(
        inputs,
        goal.flatten()[learned],
        learned,
        _token_weights(of_picture),
        pictures=len(items),
        answers=len(goal),
        tokens=sum(prefix + length for prefix, length in lengths),
        pairs=sum((p + n) * (p + n + 1) // 2 for p, n in lengths),
        truncated=sum(item.truncated for item in items),
    )


def _token_weights(said: Sequence[torch.Tensor]) -> torch.Tensor:
    """(M,) a picture counts as one, however many of its tokens are learned."""
    return torch.cat([torch.full((len(at),), 1 / (len(at) * len(said))) for at in said])


def _pad_to_row(
    item: EncodedConversation, length: int, learned: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """A picture's inputs, those per token made as long as the row: (1, length)."""
    inputs = dict(item.picture)
    for name in TOKEN_TYPES:
        if name in inputs:
            inputs[name] = F.pad(inputs[name], (0, length - item.prefix))
    if learned is not None and item.answer_token_type and "token_type_ids" in inputs:
        types = inputs["token_type_ids"]
        inputs["token_type_ids"] = learned[None].to(types.dtype) * item.answer_token_type
    return inputs


def _pad_inputs_left(picture: dict[str, torch.Tensor], longest: int) -> dict[str, torch.Tensor]:
    """Those per token padded on the left: (1, longest)."""
    return {
        name: F.pad(part, (longest - part.shape[1], 0)) if name in TOKEN_TYPES else part
        for name, part in picture.items()
    }


def _merge_inputs(pictures: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, Any]:
    """The inputs of several rows as one; of pictures with fewer tiles, the missing are zeros."""
    together = {}
    for name in pictures[0]:
        parts = [picture[name] for picture in pictures]
        if parts[0].ndim > 2 and any(part.shape[1:] != parts[0].shape[1:] for part in parts):
            tiles = max(part.shape[1] for part in parts)
            parts = [_pad_tiles(part, tiles) for part in parts]
        together[name] = torch.cat(parts)
    return together


def _pad_tiles(part: torch.Tensor, count: int) -> torch.Tensor:
    """(1, tiles, …) with zeros up to `count` tiles."""
    missing = part.new_zeros(1, count - part.shape[1], *part.shape[2:])
    return torch.cat([part, missing], dim=1)


def _pad_left(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (length - len(row), 0), value=value)


def _pad_right(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (0, length - len(row)), value=value)
