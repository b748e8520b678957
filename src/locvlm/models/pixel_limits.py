"""How many pixels a model sees of a picture, and so how many tokens: a bound that users choose.

Of a family that reads pictures in nearly their own size (Qwen-VL from 2 on) a photo of 3000 × 2000
pixels is thousands of tokens. Its processor scales to between two numbers of pixels. Another kind
(SmolVLM, Idefics, Pixtral) bounds the longer side: no picture is larger than a square of it.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import msgspec

from locvlm.coordinates import CoordinateFormat, get
from locvlm.errors import InputError
from locvlm.processors import frame_of
from locvlm.processors.settings import setting
from locvlm.processors.smart_resize import frames_counted, reads_by_pixels


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
        images = getattr(processor, "image_processor", processor)
        if not reads_by_pixels(images):
            return coordinates
        size = setting(images, "size")
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
        if reads_by_pixels(images):
            edges = self._areas(images)
        elif "longest_edge" in setting(images, "size"):
            edges = self._sides(images)
        else:
            raise self._no_such_setting(images)
        before, size = images.size, copy.copy(images.size)
        for name, value in edges.items():
            size[name] = value
        images.size = size
        if not reads_by_pixels(images):
            width, height = frame_of(images, (2 * size["longest_edge"], size["longest_edge"])).model
            if width * height > (self.max_pixels or 0):  # it goes by something else
                images.size = before
                raise self._no_such_setting(images)
        return processor

    def _no_such_setting(self, images: Any) -> InputError:
        return InputError(
            f"{', '.join(self.given)}: {type(images).__name__} has no such setting; it is for "
            "models that read pictures in nearly their own size, such as Qwen-VL from 2 on, "
            "GLM-4V or SmolVLM; leave it out"
        )

    def _areas(self, images: Any) -> dict[str, int]:
        """The edges of a processor that takes them for numbers of pixels."""
        own, least = setting(images, "size"), (images.patch_size * images.merge_size) ** 2
        frames = frames_counted(images)
        shortest, longest = own["shortest_edge"] // frames, own["longest_edge"] // frames
        low = self.min_pixels or min(shortest, self.max_pixels or shortest)
        high = self.max_pixels or max(longest, low)
        if not low <= high or high < least:
            raise InputError(
                f"min_pixels {low}, max_pixels {high}: give a range of at least {least} pixels, "
                "which are one token"
            )
        return {"shortest_edge": low * frames, "longest_edge": high * frames}

    def _sides(self, images: Any) -> dict[str, int]:
        """The edges of a processor that bounds the longer side, in steps of a patch or tile."""
        kind = type(images).__name__
        if self.min_pixels:
            raise InputError(
                f"min_pixels: {kind} has no such setting, only max_pixels; leave it out"
            )
        step = _step(images)
        longest = math.isqrt(self.max_pixels or 0) // step * step
        if not longest:
            raise InputError(
                f"max_pixels {self.max_pixels}: {kind} sees at least {step**2} pixels; give more"
            )
        if setting(images, "max_image_size"):  # it enlarges small pictures to the longest edge
            longest = min(longest, setting(images, "size")["longest_edge"])
        shortest = setting(images, "size").get("shortest_edge")
        return {"longest_edge": longest} | (
            {"shortest_edge": min(shortest, longest)} if shortest else {}
        )


def _step(images: Any) -> int:
    """Pixels by which the longer side grows: those of a tile, or of a patch."""
    if tile := setting(images, "max_image_size").get("longest_edge"):
        return tile
    patch = setting(images, "patch_size")
    return max(patch.values(), default=1)
