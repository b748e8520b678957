"""What every detector is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, eq=False)
class DetectorOutput:
    """What was seen in one picture."""

    boxes: NDArray[np.float64]  # (N, 4) xyxy, pixels of the picture; may reach out of it
    scores: NDArray[np.float64]  # (N,) 0 … 1
    labels: NDArray[np.int64]  # (N,) index into the detector's categories
    boxless: frozenset[int] = frozenset()  # labels of what is there and has no boxes: sky, grass

    @classmethod
    def of_chances(
        cls, boxes: NDArray[np.float64], chances: NDArray[np.float64], least: float
    ) -> DetectorOutput:
        """Every category that a box may be: what is second best for it is not surely absent.

        Args:
            boxes: (Q, 4) xyxy, pixels of the picture.
            chances: (Q, C), of each category.
            least: chance below which nothing is told.
        """
        rows, labels = np.nonzero(chances >= least)
        return cls(boxes[rows], chances[rows, labels], labels)


class Detector(Protocol):
    """Finds things in pictures."""

    @property
    def categories(self) -> tuple[str, ...]:
        """All that it looks for: only these can be said to be absent."""

    def detect(self, pictures: Sequence[Image.Image]) -> list[DetectorOutput]:
        """All that is in each of some upright RGB pictures, from the score that it was loaded with.

        Raises:
            InputError: a picture cannot be looked at.
        """
