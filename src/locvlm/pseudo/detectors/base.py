"""What every detector is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

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
    def from_scores(
        cls, boxes: NDArray[np.float64], scores: NDArray[np.float64], min_score: float
    ) -> DetectorOutput:
        """Every category that a box may be: what is second best for it is not surely absent.

        Args:
            boxes: (Q, 4) xyxy, pixels of the picture.
            scores: (Q, C), of each category.
            min_score: score below which nothing is told.
        """
        rows, labels = np.nonzero(scores >= min_score)
        return cls(boxes[rows], scores[rows, labels], labels)


class Detector(Protocol):
    """Finds things in pictures."""

    @property
    def categories(self) -> tuple[str, ...]:
        """All that it looks for: only these can be said to be absent."""

    def detect(self, images: Sequence[Image.Image]) -> list[DetectorOutput]:
        """All that is in each of some upright RGB pictures, from the score that it was loaded with.

        Raises:
            InputError: a picture cannot be looked at.
        """


@dataclass(frozen=True)
class DetectorFamily:
    """Models of transformers that are loaded and used in one way."""

    architectures: tuple[str, ...]  # as their ``config.json`` names them
    # From the model, its processor, what to look for, and the score below which nothing is told
    build: Callable[[Any, Any, tuple[str, ...], float], Detector]
    needs_categories: bool = False  # it must be told what to look for
    needs_scipy: bool = False
    reads_text: bool = False  # its processor has a tokenizer beside the image processor
    processor_options: Mapping[str, Any] = field(default_factory=dict)
