"""Pictures whose objects are columns: those of full COCO in a few dozen megabytes.

An object becomes a Python object when its picture is looked at, and is forgotten afterwards. A
slice is again such pictures, cheap to hand to another process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, islice, repeat
from typing import overload

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box, coords_of

AT_ONCE = 1024  # pictures whose objects are looked up together


@dataclass(frozen=True, eq=False)
class ObjectColumns:
    """M objects."""

    boxes: NDArray[np.float64]  # (M, 4) xyxy, original pixels
    categories: NDArray[np.int32]  # (M,) index into `names`
    crowds: NDArray[np.bool_]  # (M,)
    ids: Sequence[int | str]  # M, as in the file
    names: tuple[str, ...]
    descriptions: Sequence[tuple[str, ...]] | None = None  # M; None: no object has any

    def __getitem__(self, rows: slice) -> ObjectColumns:
        return ObjectColumns(
            self.boxes[rows],
            self.categories[rows],
            self.crowds[rows],
            self.ids[rows],
            self.names,
            self.descriptions and self.descriptions[rows],
        )

    def take(self, order: NDArray[np.int64]) -> ObjectColumns:
        """The rows in another order."""
        return ObjectColumns(
            self.boxes[order],
            self.categories[order],
            self.crowds[order],
            [self.ids[row] for row in order.tolist()],
            self.names,
            self.descriptions and [self.descriptions[row] for row in order.tolist()],
        )

    def __iter__(self) -> Iterator[Object]:
        phrases = self.descriptions or repeat((), len(self.ids))
        columns = (self.boxes.tolist(), self.categories.tolist(), self.crowds.tolist(), self.ids)
        for box, category, crowd, number, texts in zip(*columns, phrases, strict=True):
            yield Object(self.names[category], Box(*box), crowd, number, texts)


class ColumnarImages(Sequence[AnnotatedImage]):
    """N pictures, a sequence like any other.

    Args:
        bare: the pictures; whatever objects they have themselves are not looked at.
        starts: (N + 1,) picture i has the rows ``starts[i] … starts[i + 1] - 1`` of `objects`.
        objects: of all pictures.
    """

    def __init__(
        self, bare: Sequence[AnnotatedImage], starts: NDArray[np.int64], objects: ObjectColumns
    ):
        self._bare, self._starts, self.objects = bare, starts, objects

    def __len__(self) -> int:
        return len(self._bare)

    @classmethod
    def of(cls, images: Iterable[AnnotatedImage], names: Sequence[str]) -> ColumnarImages:
        """Any pictures as columns; categories that are not among `names` come after them."""
        if isinstance(images, ColumnarImages):
            return images
        bare = list(images)
        objects = [item for image in bare for item in image.objects]
        index = {name: place for place, name in enumerate(names)}
        categories = [index.setdefault(item.category, len(index)) for item in objects]
        columns = ObjectColumns(
            boxes=np.array([coords_of(item.box) for item in objects], np.float64).reshape(-1, 4),
            categories=np.array(categories, np.int32),
            crowds=np.array([item.crowd for item in objects], np.bool_),
            ids=[item.id for item in objects],
            names=tuple(index),
            descriptions=[item.descriptions for item in objects]
            if any(item.descriptions for item in objects)
            else None,
        )
        starts = np.cumsum([0, *(len(image.objects) for image in bare)], dtype=np.int64)
        return cls(bare, starts, columns)

    @classmethod
    def join(cls, parts: Sequence[ColumnarImages]) -> ColumnarImages:
        """The images of at least one part after the other."""
        index: dict[str, int] = {}
        codes = []
        for part in parts:
            places = [index.setdefault(name, len(index)) for name in part.objects.names]
            codes.append(np.array(places, np.int32)[part.objects.categories])
        columns = [part.objects for part in parts]
        described = any(each.descriptions for each in columns)
        phrases = (each.descriptions or repeat((), len(each.ids)) for each in columns)
        objects = ObjectColumns(
            boxes=np.concatenate([each.boxes for each in columns]),
            categories=np.concatenate(codes),
            crowds=np.concatenate([each.crowds for each in columns]),
            ids=[*chain.from_iterable(each.ids for each in columns)],
            names=tuple(index),
            descriptions=[*chain.from_iterable(phrases)] if described else None,
        )
        bare = [*chain.from_iterable(part.bare for part in parts)]
        starts = np.cumsum(np.concatenate([[0], *(part.counts for part in parts)]), dtype=np.int64)
        return cls(bare, starts, objects)

    @property
    def bare(self) -> Sequence[AnnotatedImage]:
        """The pictures; their objects are in `objects`."""
        return self._bare

    @property
    def starts(self) -> NDArray[np.int64]:
        """(N + 1,): image i has the rows ``starts[i] … starts[i + 1] - 1`` of `objects`."""
        return self._starts

    @property
    def counts(self) -> NDArray[np.int64]:
        """(N,): how many objects are in each picture."""
        return np.diff(self._starts)

    @overload
    def __getitem__(self, index: int) -> AnnotatedImage: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AnnotatedImage]: ...

    def __getitem__(self, index: int | slice) -> AnnotatedImage | Sequence[AnnotatedImage]:
        if isinstance(index, slice):
            return self._slice(range(len(self))[index])
        index = range(len(self))[index]  # counts from the end where negative
        rows = slice(self._starts[index], self._starts[index + 1])
        return replace(self._bare[index], objects=tuple(self.objects[rows]))

    def __iter__(self) -> Iterator[AnnotatedImage]:
        for start in range(0, len(self), AT_ONCE):
            yield from self._some(slice(start, start + AT_ONCE))

    def _some(self, rows: slice) -> Iterator[AnnotatedImage]:
        """Many pictures, faster than one by one."""
        bare = self._bare[rows]
        starts = self._starts[rows.start : rows.start + len(bare) + 1]
        objects = iter(self.objects[slice(starts[0], starts[-1])])
        for image, count in zip(bare, np.diff(starts).tolist(), strict=True):
            yield replace(image, objects=tuple(islice(objects, count)))

    def image_index(self) -> NDArray[np.int64]:
        """(M,): the place of the picture that each of `objects` is in."""
        return np.repeat(np.arange(len(self)), self.counts)

    def keep(self, mask: NDArray[np.bool_]) -> ColumnarImages:
        """The pictures where `mask` (N,) is true, with their objects."""
        rows = np.flatnonzero(np.repeat(mask, self.counts))
        starts = np.cumsum([0, *self.counts[mask]], dtype=np.int64)
        return ColumnarImages([*compress(self._bare, mask)], starts, self.objects.take(rows))

    def _slice(self, rows: range) -> Sequence[AnnotatedImage]:
        if rows.step != 1 or not rows:
            return tuple(self[row] for row in rows)
        starts = self._starts[rows.start : rows.stop + 1]
        objects = self.objects[slice(starts[0], starts[-1])]
        return ColumnarImages(self._bare[rows.start : rows.stop], starts - starts[0], objects)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to tuples and lists, which hash otherwise
