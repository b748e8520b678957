"""What every detector is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, eq=False)
class Detections:
    """What was seen in one picture."""

    boxes: NDArray[np.float64]  # (N, 4) xyxy, pixels of the picture
    scores: NDArray[np.float64]  # (N,) 0 … 1
    labels: NDArray[np.int64]  # (N,) index into the detector's categories
    least: float = 0.0  # score from which on nothing was left out


class Detector(Protocol):
    """Finds things in pictures."""

    @property
    def categories(self) -> tuple[str, ...]:
        """All that it looks for: only these can be said to be absent."""

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        """What is in each of some upright RGB pictures."""
