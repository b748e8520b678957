"""Pictures that are of another size than their annotations say.

Boxes count in the size that is written beside them. Where the files are copies of another
resolution, the boxes are scaled to them, once and for all. Some files are looked at first: most
data sets need no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.drops import note
from locvlm.errors import InputError
from locvlm.geometry import Box, Size
from locvlm.media.headers import Header, read_header
from locvlm.progress import track

T = TypeVar("T")

LOOKED_AT = 100  # files, spread over the data set
ROUNDING = 1.0  # pixels by which a side may be off, for resizing rounds
SEVERAL = 20  # boxes; whether all of them fit smaller pictures says nothing of fewer
SCALED = "pictures of another size than their annotations say, boxes scaled to it"
FITTING = "pictures of another size than their annotations say, which their boxes fit as they are"
TURNED = "pictures whose boxes count in the pixels before turning (EXIF), turned with them"
SLACK, SHOWN = 0.02, 0.05  # share of a side; share of boxes that prove it
OTHER = "pictures of another shape than their annotations say, kept without --check headers"
FEW = 4  # pictures; where as many and all are of another shape, they are not those that were meant


def fit_to_files(data: AnnotationSet, folder: Path) -> AnnotationSet:
    """`data` with the sizes of the files in `folder`, and with boxes in their pixels.

    Files that cannot be read, and those of another shape, stay as they are recorded; the latter
    are counted in ``drops``.

    Raises:
        InputError: all are of another shape.
    """
    images = _bare(data)
    if all(_size(folder, image) in (None, _recorded(image)) for image in spread(images)):
        return data
    found, turned = [], []
    for place, image in enumerate(track(images, "Reading sizes")):
        header = _header(folder, image)
        found.append(header.displayed if header else None)
        if header and is_turned(header, _recorded(image)):
            turned.append((place, header))
    if turned and _count_as_stored(data, turned):
        data = _turn(data, turned)
        images = _bare(data)
    recorded = np.array([_recorded(image) for image in images], np.float64)
    sizes = np.array(
        [size or _recorded(image) for size, image in zip(found, images, strict=True)], np.float64
    )
    factors = sizes / recorded
    other = (sizes != recorded).any(axis=1)
    alike = np.any(np.abs(sizes - recorded * factors[:, ::-1]) <= ROUNDING, axis=1)
    changed = other & alike
    columns = ColumnarImages.of(data.images, data.categories)
    fitting = _fit_as_they_are(columns, sizes, changed & np.all(factors < 1, axis=1))
    if len(images) >= FEW and (other & ~alike).all():
        raise InputError(
            f"{folder}: all {len(images)} pictures are of another shape than {data.source} says "
            f"(the first: {_describe(images[0], sizes[0])}); give those that were annotated, "
            "or correct the sizes"
        )
    drops = data.drops
    for reason, marks in (
        (SCALED, changed & ~fitting),
        (FITTING, fitting),
        (OTHER, other & ~alike),
    ):
        _count(drops, reason, marks, images, sizes)
    factors[~changed | fitting] = 1
    return replace(data, images=_scaled(data, columns, factors, sizes, changed), drops=drops)


def _bare(data: AnnotationSet) -> Sequence[AnnotatedImage]:
    return data.images.bare if isinstance(data.images, ColumnarImages) else data.images


def spread(images: Sequence[T]) -> Sequence[T]:
    """Some of them, from all over the data set."""
    return images[:: max(1, len(images) // LOOKED_AT)]


def is_turned(header: Header, recorded: Size) -> bool:
    """Whether the size that is recorded is that of a photo before it is turned upright."""
    turns = header.orientation >= 5 and recorded[0] != recorded[1]
    return turns and header.stored == recorded


def _count_as_stored(data: AnnotationSet, turned: Sequence[tuple[int, Header]]) -> bool:
    """Whether boxes of the turned photos count in the pixels as they lie in the file.

    Then some end outside of the picture as displayed.
    """
    images = ColumnarImages.of(data.images, data.categories)
    displayed = np.full((len(images), 2), np.inf)
    displayed[[place for place, _ in turned]] = [header.displayed for _, header in turned]
    borders = displayed[images.image_index()]
    ends = images.objects.boxes[:, 2:]
    among = np.isfinite(borders).all(axis=1)
    out = np.any(ends > borders * (1 + SLACK) + 1, axis=1)
    return bool(out.sum() >= max(1, SHOWN * among.sum()))


def _turn(data: AnnotationSet, turned: Sequence[tuple[int, Header]]) -> AnnotationSet:
    """`data` with the turned photos upright, their boxes with them."""
    images = list(data.images)
    for place, header in turned:
        width, height = header.displayed
        objects = (replace(item, box=header.upright(item.box)) for item in images[place].objects)
        images[place] = replace(images[place], width=width, height=height, objects=tuple(objects))
        note(data.drops, TURNED, images[place].file_name)
    plain: Sequence[AnnotatedImage] = tuple(images)
    if isinstance(data.images, ColumnarImages):
        plain = ColumnarImages.of(images, data.images.objects.names)
    return replace(data, images=plain)


def _recorded(image: AnnotatedImage) -> Size:
    return image.width, image.height


def _size(folder: Path, image: AnnotatedImage) -> Size | None:
    """That of the file as displayed; None where it is no picture that can be read."""
    header = _header(folder, image)
    return header.displayed if header else None


def _header(folder: Path, image: AnnotatedImage) -> Header | None:
    try:
        return read_header(folder / image.file_name)
    except InputError:
        return None


def _fit_as_they_are(
    images: ColumnarImages, sizes: NDArray[np.float64], smaller: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(N,): which of the `smaller` pictures have boxes that count in their own pixels.

    All boxes of all of them end inside; scaled they would all lie in the first corner.
    """
    rows = images.image_index()
    rows_of = smaller[rows]
    ends, borders = images.objects.boxes[rows_of, 2:], sizes[rows[rows_of]]
    if len(ends) >= SEVERAL and np.all(ends <= borders + ROUNDING):
        return smaller
    return np.zeros_like(smaller)


def _count(
    drops: Counter[str],
    reason: str,
    marks: NDArray[np.bool_],
    images: Sequence[AnnotatedImage],
    sizes: NDArray[np.float64],
) -> None:
    if marks.any():
        place = int(np.argmax(marks))
        note(drops, reason, _describe(images[place], sizes[place]))
        drops[reason] += int(marks.sum()) - 1


def _describe(image: AnnotatedImage, size: NDArray[np.float64]) -> str:
    width, height = size.astype(int).tolist()
    return f"{image.file_name}: {image.width} × {image.height}, and the file {width} × {height}"


def _scaled(
    data: AnnotationSet,
    columns: ColumnarImages,
    factors: NDArray[np.float64],
    sizes: NDArray[np.float64],
    changed: NDArray[np.bool_],
) -> Sequence[AnnotatedImage]:
    bare = [
        replace(image, width=int(size[0]), height=int(size[1])) if new else image
        for image, size, new in zip(_bare(data), sizes, changed.tolist(), strict=True)
    ]
    if isinstance(data.images, ColumnarImages):
        objects = columns.objects
        each = factors[columns.image_index()]
        boxes = objects.boxes * np.hstack([each, each])
        return ColumnarImages(bare, columns.starts, replace(objects, boxes=boxes))
    return tuple(
        replace(image, objects=tuple(replace(o, box=_times(o.box, u, v)) for o in image.objects))
        for image, (u, v) in zip(bare, factors.tolist(), strict=True)
    )


def _times(box: Box, across: float, down: float) -> Box:
    return Box(box.x1 * across, box.y1 * down, box.x2 * across, box.y2 * down)
