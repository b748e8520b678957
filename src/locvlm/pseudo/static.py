"""Which objects of a clip hold still: only of those can one box say where they are.

A category counts where no frame has more than one of it. It is static if it was seen in one frame
alone, or if each of its centers lies within 5 pixels of their mean; its box is then the mean of its
boxes (arXiv 2404.07449, localization in videos). The pixels are those that the model sees: in a
clip of 1920 pixels, 5 of 224 are 43.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from locvlm.geometry import Frame

MAX_SHIFT = 5.0  # pixels of the model's picture


@dataclass(frozen=True, eq=False)
class StaticObjects:
    """What can be said about the categories that were seen; each is in one of the three."""

    labels: NDArray[np.int64]  # (K,) of those that hold still, ascending
    boxes: NDArray[np.float64]  # (K, 4) their mean boxes, xyxy, pixels of the clip
    moving: NDArray[np.int64]  # (M,) labels
    several: NDArray[np.int64]  # (S,) labels of those with more than one box in a frame


def find_static(
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    frames: NDArray[np.int64],
    seen: Frame,
    within: float = MAX_SHIFT,
) -> StaticObjects:
    """Tell what holds still from what moves.

    Args:
        boxes: (N, 4) xyxy, pixels of the clip as displayed, of all frames.
        labels: (N,) categories.
        frames: (N,) the frame that each box is in.
        seen: from the clip's pixels to those that the model sees.
        within: how far a center may be from the mean of its category's, in pixels of the latter.
    """
    categories, place = np.unique(labels, return_inverse=True)
    of_one = np.unique(np.stack([place, frames]), axis=1, return_counts=True)
    several = np.zeros(len(categories), bool)
    several[of_one[0][0][of_one[1] > 1]] = True
    mean = np.zeros((len(categories), 4))
    np.add.at(mean, place, boxes)
    mean /= np.bincount(place, minlength=len(categories))[:, None]
    away = (_box_centers(boxes) - _box_centers(mean)[place]) * seen.scale
    moving = np.zeros(len(categories), bool)
    moving[place[np.hypot(*away.T) > within]] = True
    still = ~several & ~moving
    return StaticObjects(
        categories[still], mean[still], categories[moving & ~several], categories[several]
    )


def _box_centers(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) of (N, 4)."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2
