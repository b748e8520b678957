"""Where the picture's vectors go, without asking a GPU how many there are.

transformers 5.23, `LlavaModel.get_placeholder_mask`: at every pass it counts the image's tokens and
vectors and writes both numbers into a message, so that the CPU waits for the GPU. A LLaVA of one
image size has as many in every pass: here they are counted in the first one, by a method put in its
place. Needless once transformers counts only when it raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration, PreTrainedModel


@contextmanager
def count_placeholders_once(model: PreTrainedModel) -> Iterator[None]:
    """While it lasts, a LLaVA counts in its first pass alone; other models as ever."""
    if not isinstance(model, LlavaForConditionalGeneration):
        yield
        return
    inner: Any = model.model
    inner.get_placeholder_mask = _PlaceholderMask(inner)
    try:
        yield
    finally:
        del inner.get_placeholder_mask


class _PlaceholderMask:
    def __init__(self, model: Any):
        self.count, self.token = model.get_placeholder_mask, model.config.image_token_id
        self.shape: tuple[int, ...] | None = None  # of the vectors of a picture that was counted

    def __call__(
        self, input_ids: torch.Tensor, inputs_embeds: torch.Tensor, image_features: torch.Tensor
    ) -> torch.Tensor:
        if self.shape is None:
            self.count(input_ids, inputs_embeds, image_features)
            self.shape = _shape_per_row(input_ids, image_features)
        if self.shape != _shape_per_row(input_ids, image_features):
            raise ValueError(
                f"vectors of a picture: {self.shape}, now {tuple(image_features.shape)}"
            )
        return (input_ids == self.token)[..., None].expand_as(inputs_embeds)


def _shape_per_row(input_ids: torch.Tensor, features: torch.Tensor) -> tuple[int, ...]:
    rows = len(input_ids)
    return (features.numel() // features.shape[-1] // rows, features.shape[-1])
