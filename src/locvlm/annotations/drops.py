"""What a reader leaves out or changes, and the boxes as the files have them."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotationSet
from locvlm.geometry import Size
from locvlm.io.reading import one_line


class Drops(Counter[str]):
    """Reason -> how many; with an example of each, and all boxes before they were cut.

    A `Counter` like any other; what is added by `note` alone has an example.
    """

    def __init__(self, counts: Counter[str] | None = None):
        super().__init__(counts)
        self.examples: dict[str, str] = {}  # reason -> file and place of the first
        self._one_by_one = array("d")  # x1, y1, x2, y2, width, height of each
        self._many: list[NDArray[np.float64]] = []  # (M, 6) each

    def note(self, reason: str, where: str) -> None:
        """One more, at that place; shown on one line, whatever names are in it."""
        self[reason] += 1
        if reason not in self.examples:
            self.examples[reason] = one_line(where)

    def see_box(self, corners: Sequence[float], size: Size) -> None:
        """A box, in the pixels of its picture of ``(width, height)``, nothing cut."""
        self._one_by_one.extend((*corners, *size))

    def see_boxes(self, corners: NDArray[np.float64], sizes: NDArray[np.float64]) -> None:
        """(M, 4) boxes and (M, 2) sizes of their pictures."""
        self._many.append(np.hstack([corners, sizes]))

    def take_boxes(self) -> NDArray[np.float64]:
        """(M, 6) x1, y1, x2, y2 of all boxes, then the size of their pictures; forgotten here."""
        single = np.array(self._one_by_one, np.float64).reshape(-1, 6)
        boxes = np.concatenate([*self._many, single])
        self._one_by_one, self._many = array("d"), []
        return boxes

    def __pos__(self) -> Self:
        """Without the zeros."""
        kept = type(self)(super().__pos__())
        kept.examples = dict(self.examples)
        kept._one_by_one, kept._many = self._one_by_one, self._many
        return kept


def examples_of(drops: Counter[str]) -> dict[str, str]:
    """Reason -> file and place of the first, where it is known."""
    return dict(drops.examples) if isinstance(drops, Drops) else {}


def list_reasons(drops: Counter[str], data: AnnotationSet) -> str:
    """Why nothing of `data` is left, each reason with its count, its example and a semicolon."""
    examples = examples_of(data.drops)
    reasons = [
        f"{reason}: {count}" + (f" (the first: {examples[reason]})" if reason in examples else "")
        for reason, count in drops.items()
    ]
    return "".join(f"{reason}; " for reason in (*reasons, *data.remarks))


def note(drops: Counter[str], reason: str, where: str) -> None:
    """One more in `drops`, with an example where they keep one."""
    if isinstance(drops, Drops):
        drops.note(reason, where)
    else:
        drops[reason] += 1
