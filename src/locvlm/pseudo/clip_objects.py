"""What can be said about the objects of a clip made of a photo: boxes, and what is unsure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.pseudo.static import find_static

MIN_VISIBLE = 0.5  # share of a box that must be shown, and not hidden by what moves


class ClipRow(msgspec.Struct, frozen=True):
    """A clip that was written."""

    size: tuple[int, int] = (0, 0)  # (width, height) in pixels
    boxes: list[tuple[float, float, float, float]] = []  # xyxy, of what holds still
    labels: list[str] = []
    unsure: list[str] = []  # what is there, but has no box
    absent: list[str] = []
    move: str = ""
    error: str = ""  # why there is none


def thing_categories(lender: AnnotatedImage, thing: Object) -> list[str]:
    """What the rectangle of a thing may show: itself, and whatever reaches into it."""
    reaching = [
        item.category for item in lender.objects if _overlap(item.box, thing.box) or item is thing
    ]
    return [*dict.fromkeys([*reaching, *lender.not_exhaustive])]


def _overlap(a: Box, b: Box) -> bool:
    return a.x1 < b.x2 and b.x1 < a.x2 and a.y1 < b.y2 and b.y1 < a.y2


def make_clip_row(
    photo: AnnotatedImage,
    views: Sequence[Frame],
    path: NDArray[np.float64] | None,
    moving: Sequence[str],
    size: Size,
    seen: int,
    categories: Sequence[str],
    move: str,
) -> ClipRow:
    """What holds still in the frames that a model reads."""
    number_of = {name: number for number, name in enumerate(categories)}
    rows: list[tuple[float, ...]] = []
    labels: list[int] = []
    frames: list[int] = []
    for number in range(1, len(views), 2):  # shown in the middles of as many equal parts
        for item in photo.objects:
            box = box_in_view(item.box, views[number], None if path is None else path[number])
            if box is not None:
                rows.append(coords_of(box))
                labels.append(number_of[item.category])
                frames.append(number)
    boxes = np.array(rows, np.float64).reshape(-1, 4)
    found = find_static(
        boxes, np.array(labels, int), np.array(frames, int), Frame.resize(size, seen)
    )
    names = [categories[label] for label in found.labels.tolist()]
    crowds = {item.category for item in photo.objects if item.crowd}
    uncounted = crowds.union(photo.not_exhaustive, moving)  # there may be more than boxes
    sure = [place for place, name in enumerate(names) if name not in uncounted]
    present = {item.category for item in photo.objects}.union(uncounted)
    labelled = [names[place] for place in sure]
    return ClipRow(
        size=size,
        boxes=[tuple(box) for box in found.boxes[sure].round(2).tolist()],
        labels=labelled,
        unsure=sorted(present - set(labelled), key=number_of.__getitem__),
        absent=[name for name in photo.absent_of(categories) if name not in present],
        move=move,
    )


def box_in_view(box: Box, view: Frame, cover: NDArray[np.float64] | None) -> Box | None:
    """The part of a photo's box that a frame shows; None where it is less than `MIN_VISIBLE`."""
    whole = view.apply(box)
    assert isinstance(whole, Box)
    part = whole.clip(*view.model)
    hidden = 0.0
    if cover is not None:
        over = np.minimum(cover[2:], (part.x2, part.y2)) - np.maximum(cover[:2], (part.x1, part.y1))
        hidden = float(over.clip(0).prod())
    return part if whole.area > 0 and part.area - hidden >= MIN_VISIBLE * whole.area else None
