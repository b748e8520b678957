"""Boxes, points and frames: where things are, and in whose pixels.

A coordinate is never without its frame. Locations are kept in *original pixels* (the picture
that the user sent): x to the right, y downwards, origin at the top-left corner of the top-left
pixel, continuous, so that pixel ``i`` covers ``[i, i + 1)`` and a full-width box is ``0 … W``.
A `Frame` maps them to what the model sees and back. Sizes are ``(width, height)`` throughout.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Size: TypeAlias = tuple[int, int]  # (width, height), pixels


@dataclass(frozen=True, slots=True)
class Point:
    """A point ``(x, y)`` in pixels. Raises ValueError where a number is not finite."""

    x: float
    y: float

    def __post_init__(self) -> None:
        _store_floats(self, ("x", "y"))

    def flip(self, width: float) -> Point:
        """Mirrored left to right in a picture `width` pixels wide."""
        return Point(width - self.x, self.y)

    def clip(self, width: float, height: float) -> Point:
        """The nearest point inside ``(0, 0) … (width, height)``."""
        return Point(_clip(self.x, width), _clip(self.y, height))


@dataclass(frozen=True, slots=True)
class Box:
    """A box by its edges ``(x1, y1, x2, y2)``, pixels; ``x2 - x1`` is its width.

    Raises ValueError where the corners are swapped or a number is not finite. A box may have no
    area, and may reach out of the picture (see `clip`).

    >>> Box.from_xywh(10, 120, 20, 25)
    Box(x1=10.0, y1=120.0, x2=30.0, y2=145.0)
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.x1, self.y1, self.x2, self.y2
        ordered = -math.inf < x1 <= x2 < math.inf and -math.inf < y1 <= y2 < math.inf
        if ordered and type(x1) is type(y1) is type(x2) is type(y2) is float:
            return  # as nearly all are; a large data set makes millions
        _store_floats(self, ("x1", "y1", "x2", "y2"))
        if self.x1 > self.x2 or self.y1 > self.y2:
            raise ValueError(f"box corners are swapped: {coords_of(self)} is not (x1, y1, x2, y2)")

    @classmethod
    def from_xywh(cls, x: float, y: float, w: float, h: float) -> Box:
        """From the top-left corner and the size (COCO's order). Raises ValueError if negative."""
        return cls(x, y, x + w, y + h)

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def center(self) -> Point:
        return Point((self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2)

    def overlaps(self, other: Box) -> bool:
        """Whether the insides have anything in common; both must have an area."""
        return (
            self.x1 < other.x2 and other.x1 < self.x2 and self.y1 < other.y2 and other.y1 < self.y2
        )

    def flip(self, width: float) -> Box:
        """Mirrored left to right in a picture `width` pixels wide."""
        return Box(width - self.x2, self.y1, width - self.x1, self.y2)

    def clip(self, width: float, height: float) -> Box:
        """The part inside ``(0, 0) … (width, height)``; no area, on the border, if none is."""
        return Box(
            _clip(self.x1, width),
            _clip(self.y1, height),
            _clip(self.x2, width),
            _clip(self.y2, height),
        )

    def within(self, window: Box) -> Box:
        """The part inside `window`; no area, on its border, if none is."""
        return Box(
            min(max(window.x1, self.x1), window.x2),
            min(max(window.y1, self.y1), window.y2),
            min(max(window.x1, self.x2), window.x2),
            min(max(window.y1, self.y2), window.y2),
        )


Location: TypeAlias = Box | Point


def coords_of(location: Location) -> tuple[float, ...]:
    """``(x1, y1, x2, y2)`` of a box, ``(x, y)`` of a point."""
    if isinstance(location, Box):
        return (location.x1, location.y1, location.x2, location.y2)
    return (location.x, location.y)


def location_from(coords: Sequence[float]) -> Location:
    """A `Box` from four numbers (xyxy), a `Point` from two. Raises ValueError otherwise."""
    if len(coords) == 4:
        return Box(*coords)
    if len(coords) == 2:
        return Point(*coords)
    raise ValueError(f"a location has 2 or 4 numbers, not {len(coords)}: {tuple(coords)}")


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each box of `a` with each of `b`.

    `a` is ``(N, 4)`` and `b` ``(M, 4)``, xyxy in the same pixels; the answer is ``(N, M)``
    float64. Either may be empty. Two boxes without any area have IoU 0, never NaN.
    """
    left = np.asarray(a, dtype=np.float64).reshape(-1, 4)
    right = np.asarray(b, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(left[:, None, :2], right[None, :, :2])  # N, M, 2
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    overlap = np.prod(np.clip(high - low, 0.0, None), axis=-1)  # N, M
    area_left = np.prod(left[:, 2:] - left[:, :2], axis=-1)
    area_right = np.prod(right[:, 2:] - right[:, :2], axis=-1)
    union = area_left[:, None] + area_right[None, :] - overlap
    ratio: NDArray[np.float64] = np.zeros_like(overlap)
    return np.divide(overlap, union, out=ratio, where=union > 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """The affine map from original pixels to the model's: ``x_model = sx * x + ox``.

    `original` and `model` are the ``(width, height)`` of the two pictures. Parts of the original
    may lie outside the model's picture (a crop) and the other way about (padding).
    Raises ValueError where a size is not positive.
    """

    original: Size
    model: Size
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)  # model pixels

    def __post_init__(self) -> None:
        for name, size in (("original", self.original), ("model", self.model)):
            if len(size) != 2 or min(size) < 1:
                raise ValueError(f"{name} size must be (width, height) of at least 1, not {size}")
        if not all(math.isfinite(s) and s > 0 for s in self.scale):
            raise ValueError(f"scale must be positive, not {self.scale}")

    @classmethod
    def identity(cls, size: Size) -> Frame:
        """The image itself."""
        return cls(size, size)

    @classmethod
    def resize(cls, size: Size, to: int | Size) -> Frame:
        """Stretched to ``to = (width, height)``; an int is a square, whatever the shape was."""
        width, height = _size(to)
        return cls(size, (width, height), (width / size[0], height / size[1]))

    @classmethod
    def window(cls, size: Size, box: Box) -> Frame:
        """What lies in `box`, cut out as it is; its edges are whole pixels inside the picture.

        Raises ValueError where they are not.
        """
        x1, y1, x2, y2 = edges = coords_of(box)
        if box.clip(*size) != box or not all(edge.is_integer() for edge in edges):
            raise ValueError(f"{edges} are not whole pixels of a picture of {size}")
        return cls(size, (int(x2 - x1), int(y2 - y1)), offset=(-x1, -y1))

    @classmethod
    def pad_to_square(cls, size: Size, to: int) -> Frame:
        """Centred on a square of its longest edge, then resized to ``(to, to)``: LLaVA-1.5's way.

        The border before the image is a whole number of original pixels (rounded down), as in
        transformers' `LlavaImageProcessor` with ``do_pad=True``.
        """
        side = max(size)
        scale = to / side
        offset = ((side - size[0]) // 2 * scale, (side - size[1]) // 2 * scale)
        return cls(size, (to, to), (scale, scale), offset)

    @classmethod
    def center_crop(cls, size: Size, shortest_edge: int, crop: int | Size) -> Frame:
        """Shortest edge resized to `shortest_edge`, then the middle ``crop = (width, height)``.

        The resized size is whole pixels (rounded down), as in transformers' `CLIPImageProcessor`.
        """
        return cls.resize(size, shortest_edge_size(size, shortest_edge)).cropped(_size(crop))

    def cropped(self, crop: Size, *, pad_rounds_up: bool = True) -> Frame:
        """This frame, then the middle `crop` pixels of its picture, zero-padded where too small.

        An odd difference cuts the smaller half before the image; it pads the larger half there,
        unless `pad_rounds_up` is false (torchvision's way).
        """
        x, y = (_crop_start(self.model[i], crop[i], pad_rounds_up) for i in (0, 1))
        offset = (self.offset[0] - x, self.offset[1] - y)
        return Frame(self.original, crop, self.scale, offset)

    def apply(self, location: Location) -> Location:
        """From original pixels to the model's; nothing is clipped."""
        xy = zip(coords_of(location), self.scale * 2, self.offset * 2, strict=False)
        return location_from([s * v + o for v, s, o in xy])

    def invert(self, location: Location) -> Location:
        """From the model's pixels to original ones; nothing is clipped."""
        xy = zip(coords_of(location), self.scale * 2, self.offset * 2, strict=False)
        return location_from([(v - o) / s for v, s, o in xy])


def as_frame(frame: Frame | Size) -> Frame:
    """A frame as it is; ``(width, height)`` is the image itself. Raises ValueError otherwise."""
    return frame if isinstance(frame, Frame) else Frame.identity((int(frame[0]), int(frame[1])))


def shortest_edge_size(size: Size, edge: int) -> Size:
    """`size` scaled so that its shortest edge is `edge`; the other is rounded down, as in HF."""
    width, height = size
    if width <= height:
        return edge, int(edge * height / width)
    return int(edge * width / height), edge


def _crop_start(have: int, want: int, pad_rounds_up: bool) -> int:
    """Where a centred crop starts along one axis; negative where it has to pad."""
    if have >= want or pad_rounds_up:
        return (have - want) // 2
    return -((want - have) // 2)


def _size(size: int | Size) -> Size:
    return (size, size) if isinstance(size, int) else size


def _clip(value: float, high: float) -> float:
    return min(max(0.0, value), float(high))  # in this order -0.0 becomes 0.0


def _store_floats(location: Location, names: tuple[str, ...]) -> None:
    """Plain floats, whatever came (int, NumPy or torch scalar): they print and serialize alike."""
    for name in names:
        value = float(getattr(location, name))
        if not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number of pixels, not {value}")
        object.__setattr__(location, name, value)
