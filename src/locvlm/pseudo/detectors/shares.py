"""Boxes as the models of transformers give them: center and size, as shares of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


def xyxy(shares: torch.Tensor, sides: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q, 4) xyxy, pixels.

    Args:
        shares: (Q, 4), center x and y, width and height, of `sides`.
        sides: (2,), width and height that are 1, pixels.
    """
    numbers = shares.double().cpu().numpy()
    centers, halves = numbers[:, :2] * sides, numbers[:, 2:] * sides / 2
    return np.hstack([centers - halves, centers + halves])
