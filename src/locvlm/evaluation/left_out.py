"""Objects that a task does not ask about: how many of all, in how many images, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from locvlm.annotations.base import AnnotatedImage


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Objects that are not asked about for one reason."""

    why: str
    objects: int
    of_objects: int  # all of the data set's
    images: int  # with such objects
    of_images: int


class LeftOutCounter:
    """Counts image by image."""

    def __init__(self) -> None:
        self._objects = self._images = 0
        self._counts: dict[str, tuple[int, int]] = {}  # why -> objects, images

    def add(self, image: AnnotatedImage, reasons: Mapping[str, int]) -> None:
        """One more image, and how many of its objects are not asked about, by reason."""
        self._objects += len(image.objects)
        self._images += 1
        for why, count in reasons.items():
            if count:
                objects, images = self._counts.get(why, (0, 0))
                self._counts[why] = (objects + count, images + 1)

    def found(self) -> tuple[LeftOut, ...]:
        """What was left out, reasons in the order in which they were met."""
        return tuple(
            LeftOut(why, objects, self._objects, images, self._images)
            for why, (objects, images) in self._counts.items()
        )


def tell_left_out(result: Mapping[str, Any]) -> list[str]:
    """A sentence for each reason in the ``left_out`` of ``scores.json``."""
    rows = msgspec.convert(result.get("left_out", []), list[LeftOut])
    return [
        f"{row.objects} of {row.of_objects} objects, in {row.images} of {row.of_images} pictures, "
        f"are not asked about: {row.why}"
        for row in rows
    ]
