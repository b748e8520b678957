"""How many pixels a model sees of a picture, and so how many tokens: a bound that users choose.

Of a family that reads pictures in nearly their own size (Qwen-VL from 2 on) a photo of 3000 × 2000
pixels is thousands of tokens. Its processor scales to between two numbers of pixels.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec

from locvlm.coordinates import CoordinateFormat, get
from locvlm.errors import InputError
from locvlm.processors.settings import setting
from locvlm.processors.smart_resize import reads_by_pixels


class PixelLimits(msgspec.Struct, frozen=True):
    """Pixels that a picture is scaled to; None: as the model's own processor says.

    Raises:
        InputError: one of them is below 1.
    """

    min_pixels: int | None = None
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        for name, value in msgspec.structs.asdict(self).items():
            if value is not None and value < 1:
                raise InputError(f"{name}: {value} is no number of pixels; give one above 0")

    def over(self, other: PixelLimits) -> PixelLimits:
        """These, and those of `other` where these say nothing."""
        return PixelLimits(self.min_pixels or other.min_pixels, self.max_pixels or other.max_pixels)

    @property
    def given(self) -> dict[str, int]:
        """Those that are given, for the record."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}

    def told_by(self, coordinates: CoordinateFormat, processor: Any) -> CoordinateFormat:
        """A format of pixels that are seen, with those of `processor`, where limits are given."""
        if not self.given or not {"min_pixels", "max_pixels"} <= coordinates.options.keys():
            return coordinates
        size = setting(getattr(processor, "image_processor", processor), "size")
        bounds = {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
        return get(coordinates.name, **{**coordinates.options, **bounds})

    def apply(self, processor: Any) -> Any:
        """The processor with these limits.

        Raises:
            InputError: it has no such setting, or less than one token or a negative range is left.
        """
        if not self.given:
            return processor
        images = getattr(processor, "image_processor", processor)
        if not reads_by_pixels(images):
            raise InputError(
                f"{', '.join(self.given)}: {type(images).__name__} has no such setting; it is for "
                "Qwen2-VL, 2.5 and 3, which read pictures in nearly their own size; leave it out"
            )
        own, least = setting(images, "size"), (images.patch_size * images.merge_size) ** 2
        low = self.min_pixels or min(own["shortest_edge"], self.max_pixels or own["shortest_edge"])
        high = self.max_pixels or max(own["longest_edge"], low)
        if not low <= high or high < least:
            raise InputError(
                f"min_pixels {low}, max_pixels {high}: give a range of at least {least} pixels, "
                "which are one token"
            )
        size = copy.copy(images.size)
        for name, value in (("shortest_edge", low), ("longest_edge", high)):
            size[name] = value
        images.size = size
        return processor
