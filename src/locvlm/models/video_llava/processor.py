"""A LLaVA's processor that takes clips as well as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from transformers import BatchFeature, LlavaProcessor

# What a tokenizer is told; all else of a call is for pictures
TOKENS = ("add_special_tokens", "padding", "padding_side", "truncation", "max_length")


class PooledVideoLlavaProcessor(LlavaProcessor):
    """A clip stands in a text where a picture would, by the same token.

    Args:
        num_frames: how many frames of a clip its model was trained on.
        others: as of `LlavaProcessor`.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        patch_size: int | None = None,
        vision_feature_select_strategy: str | None = None,
        chat_template: str | None = None,
        image_token: str = "<image>",
        num_additional_image_tokens: int = 0,
        num_frames: int = 8,
        **others: Any,
    ):
        self.num_frames = num_frames
        super().__init__(
            image_processor,
            tokenizer,
            patch_size,
            vision_feature_select_strategy,
            chat_template,
            image_token,
            num_additional_image_tokens,
            **others,
        )

    @classmethod
    def of(cls, processor: LlavaProcessor, num_frames: int) -> PooledVideoLlavaProcessor:
        """That of a LLaVA, for clips of so many frames."""
        settings = {**vars(processor), "num_frames": num_frames}
        settings.pop("image_token_id")
        return cls(**settings)

    def __call__(
        self,
        images: Any = None,
        text: Any = None,
        videos: Sequence[Sequence[Image.Image]] | None = None,
        **kwargs: Any,
    ) -> BatchFeature:
        """As `LlavaProcessor`; of clips, `pixel_values` (B, F, 3, H, W).

        Args:
            images: pictures, or None.
            text: with an image token for each of the pictures or clips.
            videos: clips instead of pictures: the frames of each, all of one number.

        Raises:
            ValueError: both are given, other than one token per clip, or an unknown argument.
        """
        if videos is None:
            return super().__call__(images=images, text=text, **kwargs)
        if images is not None:
            raise ValueError("pictures or clips can be given, not both")
        if unknown := kwargs.keys() - {*TOKENS, "return_tensors"}:
            raise ValueError(f"{min(unknown)}: no argument for clips; known: {', '.join(TOKENS)}")
        pixels = [self._pixels(frames) for frames in videos]
        texts = [text] if isinstance(text, str) else list(text)
        parts = [whole.split(self.image_token) for whole in texts]
        if sum(map(len, parts)) - len(parts) != len(pixels):
            raise ValueError(f"the text must have one {self.image_token} for each clip")
        tokens = iter([self.image_token * self._length(clip) for clip in pixels])
        written = [first + "".join(next(tokens) + p for p in rest) for first, *rest in parts]
        options = {name: kwargs[name] for name in TOKENS if name in kwargs}
        data = {**self.tokenizer(written, **options), "pixel_values": torch.stack(pixels)}
        return BatchFeature(data, tensor_type=kwargs.get("return_tensors"))

    def _pixels(self, frames: Sequence[Image.Image]) -> torch.Tensor:
        """(F, 3, H, W)."""
        pixels: torch.Tensor = self.image_processor(list(frames), return_tensors="pt").pixel_values
        return pixels

    def _length(self, clip: torch.Tensor) -> int:
        """Tokens of a clip: one per frame, and those of a picture."""
        image = self.replace_image_token({"pixel_values": clip}, 0)
        return len(clip) + image.count(self.image_token)


def frames_of(processor: Any) -> int | None:
    """How many frames of a clip its model reads; None where it reads pictures alone."""
    return processor.num_frames if isinstance(processor, PooledVideoLlavaProcessor) else None
