"""Views of a picture that training draws: parts of it, in other light.

A view is drawn before the picture is opened. What moves pixels moves boxes by the same numbers
(`annotations.cropping`); the light moves nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box, Size, coords_of
from locvlm.media.opening import View, map_images

SMALLEST = 16  # pixels: the least side of a part, unless the picture has less

GRAY = np.array([0.299, 0.587, 0.114])  # of ITU-R BT.601, as in Pillow
# Gray, then two axes of color around it (YIQ)
_AXES = np.array([GRAY, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
PositiveShare = Annotated[float, msgspec.Meta(gt=0, le=1)]
Strength = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Crop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of pictures are shown, and asked about, as if each were a picture."""

    area: tuple[PositiveShare, PositiveShare] = (
        0.25,
        1.0,
    )  # least and most share of the picture's area
    # Up to so many times as wide as high, or as high as wide, as the picture is
    ratio: Annotated[float, msgspec.Meta(ge=1, le=10)] = 1.33
    share: Share = 0.7  # of the visits; the others show the whole picture
    keep: Share = 0.9  # of the parts; they hold one of the boxes, as far as it fits in

    def draw(self, size: Size, boxes: Sequence[Box], chance: random.Random) -> Box | None:
        """A part of a picture of `size` (width, height), in whole pixels; None: all of it.

        Args:
            size: of the picture, original pixels.
            boxes: one of which may be kept.
            chance: from which all is drawn.
        """
        if chance.random() >= self.share:
            return None
        area = chance.uniform(*self.area)
        stretch = self.ratio ** chance.uniform(-1, 1)
        width = min(1.0, max(area, math.sqrt(area * stretch)))  # so that the height is one, too
        sides = [_crop_side(*pair) for pair in zip(size, (width, area / width), strict=True)]
        if sides == list(size):
            return None
        target = Box(0, 0, *size)
        if boxes and chance.random() < self.keep:
            target = chance.choice(boxes)
        x = _crop_start(size[0], sides[0], target.x1, target.x2, chance)
        y = _crop_start(size[1], sides[1], target.y1, target.y2, chance)
        return Box.from_xywh(x, y, *sides)


class Light(NamedTuple):
    """How the colors of one view are changed."""

    brightness: float  # times all values
    contrast: float  # times their distance from the picture's mean
    saturation: float  # times the distance of a color from its gray
    hue: float  # turns of the circle of colors

    def apply(self, image: Image.Image) -> Image.Image:
        """The RGB picture in this light: one linear map of its colors."""
        mean = GRAY @ np.asarray(image.resize((1, 1), Image.Resampling.BOX), float)[0, 0]
        colors = (
            self.brightness
            * self.contrast
            * (_saturation_matrix(self.saturation) @ _hue_matrix(self.hue))
        )
        added = self.brightness * (1 - self.contrast) * mean  # gray, which stays gray
        rows = np.c_[colors, np.full(3, added)]
        return image.convert("RGB", tuple(rows.ravel().tolist()))


class Color(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Colors are changed; brightness, contrast and saturation by a factor up to 1 ± the number."""

    brightness: Strength = 0.4
    contrast: Strength = 0.4
    saturation: Strength = 0.4
    hue: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.03  # turns of the circle, either way
    share: Share = 0.8  # of the visits

    def draw(self, chance: random.Random) -> Light | None:
        """The light of a view; None: as it is."""
        if chance.random() >= self.share:
            return None
        return Light(
            chance.uniform(1 - self.brightness, 1 + self.brightness),
            chance.uniform(1 - self.contrast, 1 + self.contrast),
            chance.uniform(1 - self.saturation, 1 + self.saturation),
            chance.uniform(-self.hue, self.hue),
        )


class Augment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes from one visit of a picture to the next; true: as is usual."""

    crop: Crop | bool = False
    color: Color | bool = False

    def __post_init__(self) -> None:
        """``true`` becomes the settings that it stands for."""
        for name, usual in (("crop", Crop), ("color", Color)):
            if getattr(self, name) is True:
                msgspec.structs.force_setattr(self, name, usual())

    def check(self, where: str) -> None:
        """Raise InputError, which begins with `where`, for settings that contradict each other."""
        if not (self.crop or self.color):
            raise InputError(f"{where}: changes nothing; give crop, color or both, or leave it out")
        if isinstance(self.crop, Crop) and self.crop.area[0] > self.crop.area[1]:
            least, most = self.crop.area
            raise InputError(
                f"{where}.crop.area: {least} is more than {most}; give the least first"
            )


def crop_view(view: View, window: Box) -> View:
    """What is seen inside `window` (whole pixels), of each frame of a clip."""
    x1, y1, x2, y2 = map(int, coords_of(window))
    return map_images(view, lambda image: image.crop((x1, y1, x2, y2)))


def _crop_side(whole: int, share: float) -> int:
    return min(whole, max(SMALLEST, round(share * whole)))


def _crop_start(whole: int, side: int, low: float, high: float, chance: random.Random) -> int:
    """Where a part of a length begins, so that it holds `low` to `high` or lies within them."""
    ends = sorted((math.ceil(high) - side, math.floor(low)))
    first, last = (min(max(end, 0), whole - side) for end in ends)
    return chance.randint(first, last)


def _saturation_matrix(factor: float) -> np.ndarray:
    """(3, 3): each color between its gray and itself, or beyond."""
    return factor * np.eye(3) + (1 - factor) * GRAY


def _hue_matrix(turns: float) -> np.ndarray:
    """(3, 3): all colors turned about the axis of grays."""
    c, s = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return np.asarray(np.linalg.solve(_AXES, turn @ _AXES))
