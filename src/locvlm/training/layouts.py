"""How encoded conversations are laid out for a model's `forward`.

`packed`: a picture and all of its questions as one sequence, the picture paid for once. Exact where
the language model is causal and lets its attention be replaced (`block_attention`).

    [ prefix | question 1 + answer | question 2 + answer | … ]

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

from locvlm.errors import InputError
from locvlm.training.collator import IGNORED, Encoded
from locvlm.training.recipe import Recipe

# Models whose language model is causal and takes `Blocks`, as the tests show
PACKABLE = frozenset(
    (
        "llava",
        "llava_next",
        "pooled_video_llava",
        "idefics3",
        "smolvlm",
        "internvl",
        "qwen2_vl",
        "qwen2_5_vl",
        "qwen3_vl",
    )
)
# Inputs with a number per token of the prefix, and the one that stands for text after it.
PER_TOKEN = ("token_type_ids", "mm_token_type_ids")


def packs(kind: str, recipe: Recipe) -> bool:
    """Whether a recipe lays out pictures and their questions as one sequence each.

    Args:
        kind: `model_type` of the model's configuration.
        recipe: of the run.

    Raises:
        InputError: it asks for what its model or batch does not allow.
    """
    if recipe.layout == "packed" and kind not in PACKABLE:
        raise InputError(f"layout: packed: a {kind} cannot be packed; choose auto or padded")
    if recipe.layout == "packed" and recipe.batch > 1:
        raise InputError("layout: packed takes one picture at a time; set batch to 1")
    return kind in PACKABLE and recipe.layout != "padded" and recipe.batch == 1


@dataclass(frozen=True)
class Batch:
    """What a model is given, and what it should say: R rows of K logits."""

    inputs: dict[str, Any]  # of the model's `forward`
    goal: torch.Tensor  # (R, K) the token that each logit should choose, or IGNORED
    owner: torch.Tensor  # (R,) number of the picture that a row is about
    truncated: int = 0  # answers that were cut

    def to(self, device: torch.device | str, **_: Any) -> Batch:
        """The same on another device."""
        inputs = {
            name: value.to(device) if hasattr(value, "to") else value
            for name, value in self.inputs.items()
        }
        return Batch(inputs, self.goal.to(device), self.owner.to(device), self.truncated)


def packed(
    encoded: Encoded,
    *,
    guided: bool = False,
    rope_index: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None = None,
) -> Batch:
    """One picture with its questions as one row.

    Args:
        encoded: the picture and its questions.
        guided: the model is to note where it looks.
        rope_index: of a model whose positions are in time, height and width (Qwen2-VL and later).
    """
    # Every question begins with asked tokens, so the one before a learned token is its own
    learned = (encoded.labels != IGNORED).nonzero()[:, 0]
    inputs = {
        **_extended(encoded.picture, encoded.prefix, len(encoded.input_ids)),
        "input_ids": encoded.input_ids[None],
        "position_ids": _positions(encoded, rope_index),
        "logits_to_keep": learned - 1,
        "blocks": encoded.blocks,
    }
    if guided:
        inputs["guide"] = encoded.guide
    goal = encoded.labels[learned][None]
    return Batch(inputs, goal, torch.zeros(1, dtype=torch.long), encoded.truncated)


def _positions(
    encoded: Encoded, rope_index: Callable[..., tuple[torch.Tensor, torch.Tensor]] | None
) -> torch.Tensor:
    """(1, T), or (3, 1, T) where a picture takes up less room than it has tokens."""
    if rope_index is None:
        return encoded.position_ids[None]
    asked = ("image_grid_thw", "mm_token_type_ids")
    picture = {name: value for name, value in encoded.picture.items() if name in asked}
    seen, shift = rope_index(input_ids=encoded.input_ids[None, : encoded.prefix], **picture)
    after = encoded.position_ids[encoded.prefix :] + shift
    return torch.cat([seen, after.expand(3, 1, -1)], dim=-1)


def padded(items: Sequence[Encoded], pad: int) -> Batch:
    """A row per question of all pictures; `pad` is the token that fills rows."""
    rows = [row for item in items for row in item.rows()]
    owner = [number for number, item in enumerate(items) for _ in item.lengths]
    longest = max(len(ids) for ids, _ in rows)
    labels = torch.stack([_left(labels, longest, IGNORED) for _, labels in rows])
    learned = int((labels != IGNORED).sum(1).max())
    pictures = [
        _extended(items[number].picture, items[number].prefix, len(ids), labels != IGNORED)
        for number, (ids, labels) in zip(owner, rows, strict=True)
    ]
    inputs = {
        "input_ids": torch.stack([_left(ids, longest, pad) for ids, _ in rows]),
        "attention_mask": torch.stack([_left(torch.ones_like(i), longest, 0) for i, _ in rows]),
        **_together(pictures, longest),
        "logits_to_keep": learned + 1,
    }
    goal = F.pad(labels[:, -learned:], (0, 1), value=IGNORED)  # the last logit has no next token
    return Batch(inputs, goal, torch.tensor(owner), sum(item.truncated for item in items))


def written(items: Sequence[Encoded], pad: int) -> Batch:
    """A row per question for an encoder–decoder: it reads the prompt and writes the answer."""
    rows = [row for item in items for row in item.rows()]
    owner = [number for number, item in enumerate(items) for _ in item.lengths]
    asked = [ids[labels == IGNORED] for ids, labels in rows]
    answers = [labels[labels != IGNORED] for _, labels in rows]
    longest, most = max(map(len, asked)), max(map(len, answers))
    goal = torch.stack([_right(answer, most, IGNORED) for answer in answers])
    inputs = {
        "input_ids": torch.stack([_right(ids, longest, pad) for ids in asked]),
        "attention_mask": torch.stack([_right(torch.ones_like(i), longest, 0) for i in asked]),
        **_together([dict(items[number].picture) for number in owner], longest),
        "labels": goal,  # the model shifts them into its decoder
    }
    return Batch(inputs, goal, torch.tensor(owner), sum(item.truncated for item in items))


def _extended(
    picture: Mapping[str, torch.Tensor],
    prefix: int,
    length: int,
    learned: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """A picture's inputs, those per token made as long as the row: (1, length)."""
    inputs = dict(picture)
    for name in PER_TOKEN:
        if name in inputs:
            inputs[name] = F.pad(inputs[name], (0, length - prefix))
    if learned is not None and "token_type_ids" in inputs:  # PaliGemma: 1 where it is causal
        inputs["token_type_ids"] = learned[None].to(inputs["token_type_ids"].dtype)
    return inputs


def _together(pictures: Sequence[Mapping[str, torch.Tensor]], longest: int) -> dict[str, Any]:
    """The inputs of several rows as one; of pictures with fewer tiles, the missing are zeros."""
    together = {}
    for name in pictures[0]:
        parts = [picture[name] for picture in pictures]
        if name in PER_TOKEN:
            parts = [F.pad(part, (longest - part.shape[1], 0)) for part in parts]
        elif parts[0].ndim > 2 and any(part.shape[1:] != parts[0].shape[1:] for part in parts):
            tiles = max(part.shape[1] for part in parts)
            parts = [_tiles(part, tiles) for part in parts]
        together[name] = torch.cat(parts)
    return together


def _tiles(part: torch.Tensor, count: int) -> torch.Tensor:
    """(1, tiles, …) with zeros up to `count` tiles."""
    missing = part.new_zeros(1, count - part.shape[1], *part.shape[2:])
    return torch.cat([part, missing], dim=1)


def _left(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (length - len(row), 0), value=value)


def _right(row: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return F.pad(row, (0, length - len(row)), value=value)
