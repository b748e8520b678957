"""CenterFace (arXiv 1911.03599) by OpenCV's network module: where the faces of a picture are.

A grid of cells of 4 × 4 input pixels: each has the chance that a face's center lies in it, where
in the cell, and the logarithm of the face's size in cells.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.models.sources import CENTERFACE, fetch

SIDES = (768, 1536)  # input pixels; pictures are fitted into the smallest that holds them
MIN_CONFIDENCE = 0.25  # chance from which a cell holds a face; low, since a missed one costs more
MAX_OVERLAP = 0.3  # IoU above which two finds are one

_CELL = 4  # input pixels
_OUTPUTS = ("537", "538", "539")  # confidences, sizes, offsets, as the file names them


def check_opencv() -> None:
    """Raises InputError where OpenCV is not installed."""
    try:
        import cv2  # noqa: F401
    except ModuleNotFoundError:
        raise InputError("blurring faces needs OpenCV; pip install 'locvlm[faces]'") from None


def find_faces(image: Image.Image) -> list[Box]:
    """Boxes of the faces in an RGB picture, in its pixels; the surest first.

    Raises:
        InputError: the weights are not there and cannot be fetched.
    """
    import cv2

    longest = max(image.size)
    side = next((side for side in SIDES if longest <= side), SIDES[-1])
    scale = side / longest
    network = _network(side)
    network.setInput(_input_of(image, side, scale))
    boxes, confidences = _decode(*network.forward(_OUTPUTS))
    xywh = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    indices = cv2.dnn.NMSBoxes(xywh.tolist(), confidences.tolist(), MIN_CONFIDENCE, MAX_OVERLAP)
    return [Box(*(boxes[row] / scale).tolist()) for row in indices]


def _input_of(image: Image.Image, side: int, scale: float) -> NDArray[np.float32]:
    """(1, 3, side, side), 0 … 255: the picture in the upper left, black beyond it.

    Always a square, since OpenCV gives wrong numbers once a network's input changes its shape.
    """
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (side, side))
    canvas.paste(image.resize(size, Image.Resampling.BICUBIC))
    return np.ascontiguousarray(np.asarray(canvas, np.float32).transpose(2, 0, 1))[None]


def _decode(
    confidences: NDArray[np.float32], sizes: NDArray[np.float32], offsets: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """(M, 4) xyxy, input pixels, and (M,) confidences of the cells that likely hold a face.

    Args:
        confidences: (1, 1, H, W).
        sizes: (1, 2, H, W), height and width.
        offsets: (1, 2, H, W), y and x.
    """
    rows, columns = np.nonzero(confidences[0, 0] > MIN_CONFIDENCE)
    height, width = np.exp(sizes[0, :, rows, columns].T.astype(np.float64)) * _CELL
    y, x = offsets[0, :, rows, columns].T
    center_x, center_y = (columns + x + 0.5) * _CELL, (rows + y + 0.5) * _CELL
    low = center_x - width / 2, center_y - height / 2
    high = center_x + width / 2, center_y + height / 2
    return np.stack([*low, *high], axis=1), confidences[0, 0, rows, columns]


@cache
def _network(side: int) -> Any:
    """The network for inputs of `side` pixels."""
    import cv2

    return cv2.dnn.readNetFromONNX(str(fetch(CENTERFACE)))
