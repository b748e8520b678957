"""Photos that lie turned in their files (EXIF), in COCO files with the size before turning.

Tools draw boxes on the picture as displayed, and write a size that they read without looking at the
orientation: width and height are then swapped. The boxes tell which of the two they count in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from locvlm.annotations.box_forms import to_corners
from locvlm.annotations.coco_file import AnnotationEntry
from locvlm.annotations.coco_images import UsableImages
from locvlm.annotations.drops import note
from locvlm.annotations.recorded_sizes import is_turned, spread
from locvlm.errors import InputError
from locvlm.media.headers import read_header

REASON = "pictures with the width and height from before turning (EXIF), set right"
SLACK = 0.02  # share of a side that a box may reach out by careless drawing
TIMES = 10  # so many boxes must fit the picture as displayed alone, for one that does not


def set_upright(
    images: UsableImages,
    annotations: Sequence[AnnotationEntry],
    folder: Path,
    form: str | None,
    drops: Counter[str],
) -> None:
    """Swaps the recorded sizes of turned photos, where boxes fit them as displayed alone.

    Args:
        images: changed.
        annotations: of all images.
        folder: of the images; some files are looked at, and all if one of them is turned.
        form: of the boxes (see `box_forms`); None: x, y, width, height.
        drops: reason -> how many; added to.
    """
    rows = range(len(images.entries))
    if not any(_is_turned(images, row, folder) for row in spread(rows)):
        return
    turned = {row for row in rows if _is_turned(images, row, folder)}
    places = [images.rows.get(item.image_id, -1) for item in annotations]
    found = [number for number, row in enumerate(places) if row in turned]
    if not found:
        return
    numbers = np.array([annotations[number].bbox for number in found], np.float64)
    entries = [images.entries[places[number]] for number in found]
    recorded = np.array([(item.width, item.height) for item in entries], np.float64)
    ends = to_corners(numbers, recorded, form, "xywh")[:, 2:]
    fits = np.all(ends <= recorded * (1 + SLACK) + 1, axis=1)
    displayed = np.all(ends <= recorded[:, ::-1] * (1 + SLACK) + 1, axis=1)
    if (displayed & ~fits).sum() <= TIMES * (fits & ~displayed).sum():
        return
    for row in sorted(turned):
        item = images.entries[row]
        images.entries[row] = msgspec.structs.replace(item, width=item.height, height=item.width)
        note(drops, REASON, images.files[item.id])


def _is_turned(images: UsableImages, row: int, folder: Path) -> bool:
    item = images.entries[row]
    name = images.files.get(item.id)
    try:
        return name is not None and is_turned(read_header(folder / name), (item.width, item.height))
    except InputError:
        return False
