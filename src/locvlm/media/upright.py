"""A decoded frame as a viewer displays it: a phone films lying, and notes how to turn it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from locvlm.media.images import open_image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# By (a, b, c, d) of the display matrix (ISO/IEC 14496-12, 6.2.2): x' = a·x + c·y, y' = b·x + d·y
_TURNS: dict[tuple[float, ...], Image.Transpose | None] = {
    (1, 0, 0, 1): None,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,  # Pillow turns counter-clockwise
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


def upright_image(frame: VideoFrame) -> Image.Image:
    """The frame in RGB, turned as its display matrix says, transparency on white.

    Pixels are taken for square, as those of pictures are.

    Raises:
        ValueError: it is turned by another angle than 90°, 180° or 270°.
    """
    transparent = any(part.is_alpha for part in frame.format.components)
    pixels = frame.to_ndarray(format="rgba" if transparent else "rgb24")
    image = open_image(Image.fromarray(pixels))
    turn = _turn(frame)
    return image if turn is None else image.transpose(turn)


def _turn(frame: VideoFrame) -> Image.Transpose | None:
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5] / 65536  # 16.16 fixed point
    key = tuple(round(float(value), 2) for value in (a, b, c, d))
    if key not in _TURNS:
        raise ValueError("turned by no multiple of 90°")
    return _TURNS[key]
