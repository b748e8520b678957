"""How a camera moves over a photo: what it shows of it, frame after frame."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from locvlm.geometry import Frame, Size

# Move -> the least and the largest share of the photo's sides that is shown
MOVES = {"still": (1.0, 1.0), "drift": (0.97, 0.98), "pan": (0.65, 0.85), "zoom": (0.7, 1.0)}


def camera_windows(move: str, size: Size, frames: int, rng: random.Random) -> NDArray[np.float64]:
    """(frames, 4) xyxy: the parts of a photo of `size` that are shown, of the photo's own shape.

    A drift stays within a few pixels, a pan goes from one place to another, a zoom grows or shrinks
    about one. All go at an even pace.
    """
    least, most = MOVES[move]
    shares = [most, least] if move == "zoom" else [rng.uniform(least, most)] * 2
    if rng.random() < 0.5:
        shares.reverse()
    ends = [(rng.random(), rng.random()) for _ in range(2)]
    if move == "zoom":
        ends[1] = ends[0]
    time = np.linspace(0, 1, frames)[:, None]
    share = shares[0] + (shares[1] - shares[0]) * time
    place = np.array(ends[0]) + (np.array(ends[1]) - np.array(ends[0])) * time  # of the free room
    sides = np.array(size)
    corner = place * (1 - share) * sides
    return np.concatenate([corner, corner + share * sides], axis=1)


def window_frame(window: NDArray[np.float64], size: Size, shown: Size) -> Frame:
    """From pixels of the photo to those of a frame of `shown` size that shows the window."""
    sides = window[2:] - window[:2]
    scale = np.array(shown) / sides
    x, y = (-window[:2] * scale).tolist()
    return Frame(size, shown, tuple(scale.tolist()), (x, y))
