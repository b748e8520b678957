"""Images to the tensors that models of transformers take, and their boxes back to pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locvlm.errors import InputError

if TYPE_CHECKING:
    import torch

PATCH = 16  # pixels a side, of the smallest picture that all models can look at


def preprocess(processor: Any, image: Image.Image, **options: Any) -> Any:
    """One picture as tensors.

    Args:
        processor: an image processor, or one with words beside.
        image: upright, RGB.
        options: what else the processor takes.

    Raises:
        InputError: it is so narrow that nothing of it would be left.
    """
    narrow = f"{image.width}x{image.height} pixels: too narrow for this detector"
    try:
        # The channels are told, for in a picture 3 pixels high they would be taken for its rows
        inputs = processor(
            images=[image], input_data_format="channels_last", return_tensors="pt", **options
        )
    except ValueError as error:
        raise InputError(narrow) from error
    if min(inputs["pixel_values"].shape[-2:]) < PATCH:
        raise InputError(narrow)
    return inputs


def boxes_in_pixels(shares: torch.Tensor, sides: NDArray[np.int64]) -> NDArray[np.float64]:
    """(Q, 4) xyxy, pixels.

    Args:
        shares: (Q, 4), center x and y, width and height, of `sides`.
        sides: (2,), the width and the height that are 1, pixels.
    """
    numbers = shares.double().cpu().numpy()
    centers, halves = numbers[:, :2] * sides, numbers[:, 2:] * sides / 2
    return np.hstack([centers - halves, centers + halves])
