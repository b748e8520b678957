"""SSD with MobileNetV3 (arXiv 1512.02325, 1905.02244) by OpenCV's network module: 80 categories.

Small and fast rather than good: the default that runs anywhere. The weights are those of the
TensorFlow object detection model zoo, trained on COCO.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from locvlm.errors import InputError
from locvlm.models.sources import SSD_GRAPH, SSD_LABELS, SSD_WEIGHTS, fetch
from locvlm.pseudo.detectors.base import Detections

SIDE = 320  # input pixels, each way
MOST = 100  # detections that the network gives

# Of COCO's 91 numbered categories those that no picture of COCO has, so that it never saw any
_NEVER = frozenset(
    {
        *("street sign", "hat", "shoe", "eye glasses", "plate", "mirror"),
        *("window", "desk", "door", "blender", "hair brush"),
    }
)


class Ssd:
    """The detector. Raises InputError where OpenCV or the weights cannot be had."""

    def __init__(self) -> None:
        try:
            import cv2
        except ModuleNotFoundError:
            raise InputError(
                "the detector ssd needs OpenCV; pip install 'locvlm[faces]', or name another"
            ) from None
        names = fetch(SSD_LABELS).read_text(encoding="utf-8").split("\n")
        # the network counts from 1; 0 is background
        numbers = [i for i, name in enumerate(names, 1) if name and name not in _NEVER]
        self.categories = tuple(names[number - 1] for number in numbers)
        self._place = np.full(len(names) + 2, -1)
        self._place[numbers] = range(len(numbers))
        self._network: Any = cv2.dnn.readNetFromTensorflow(
            str(fetch(SSD_WEIGHTS)), str(fetch(SSD_GRAPH))
        )

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        """One after the other: OpenCV's batches are no faster."""
        return [self._detect(picture) for picture in pictures]

    def _detect(self, picture: Image.Image) -> Detections:
        resized = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = (np.asarray(resized, np.float32) - 127.5) / 127.5
        self._network.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None])
        # (1, 1, N, 7): picture, label, score, x1, y1, x2, y2 as shares of the sides
        rows = self._network.forward()[0, 0].astype(np.float64)
        least = float(rows[:, 2].min()) if len(rows) >= MOST else 0.0
        labels = self._place[rows[:, 1].astype(np.int64)]
        known = labels >= 0
        sides = np.array([picture.width, picture.height] * 2, np.float64)
        boxes = np.clip(rows[known, 3:], 0, 1) * sides
        return Detections(boxes, rows[known, 2], labels[known], least)
