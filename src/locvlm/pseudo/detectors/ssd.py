"""SSD with MobileNetV3 (arXiv 1512.02325, 1905.02244) by OpenCV's network module: 80 categories.

Small and fast rather than good: the default that runs anywhere. The weights are those of the
TensorFlow object detection model zoo, trained on COCO.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from locvlm.errors import InputError
from locvlm.models.sources import SSD_GRAPH, SSD_LABELS, SSD_WEIGHTS, fetch_all
from locvlm.pseudo.detectors.base import DetectorOutput

SIDE = 320  # input pixels, each way
CELLS = 2034  # boxes that the network looks at
LABELS = 91  # with the background, number 0

# Of COCO's 91 numbered categories those that no picture of COCO has, so that it never saw any
_UNUSED = frozenset(
    {
        *("street sign", "hat", "shoe", "eye glasses", "plate", "mirror"),
        *("window", "desk", "door", "blender", "hair brush"),
    }
)


class Ssd:
    """The detector. Raises InputError where OpenCV or the weights cannot be had.

    Args:
        min_score: score below which nothing is told.
    """

    def __init__(self, min_score: float) -> None:
        network = _import_opencv().dnn
        weights, graph, labels = fetch_all((SSD_WEIGHTS, SSD_GRAPH, SSD_LABELS))
        names = labels.read_text(encoding="utf-8").split("\n")
        numbers = [i for i, name in enumerate(names, 1) if name and name not in _UNUSED]
        self.categories = tuple(names[number - 1] for number in numbers)
        self._place = np.full(LABELS, -1)
        self._place[numbers] = range(len(numbers))
        untrimmed = _lift_limits(graph.read_text(encoding="utf-8"), min_score).encode()
        self._network: Any = network.readNetFromTensorflow(
            *(np.frombuffer(data, np.uint8) for data in (weights.read_bytes(), untrimmed))
        )

    def detect(self, images: Sequence[Image.Image]) -> list[DetectorOutput]:
        """One after the other: OpenCV's batches are no faster."""
        return [self._detect(image) for image in images]

    def _detect(self, image: Image.Image) -> DetectorOutput:
        resized = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pixels = (np.asarray(resized, np.float32) - 127.5) / 127.5
        self._network.setInput(np.ascontiguousarray(pixels.transpose(2, 0, 1))[None])
        # (1, 1, N, 7): picture, label, score, x1, y1, x2, y2 as shares of the sides
        rows = self._network.forward()[0, 0]
        rows = rows[rows[:, 2] > 0].astype(np.float64)  # those behind are zeros
        labels = self._place[rows[:, 1].astype(np.int64)]
        known = labels >= 0
        sides = np.array([image.width, image.height] * 2, np.float64)
        return DetectorOutput(rows[known, 3:] * sides, rows[known, 2], labels[known])


def _lift_limits(graph: str, min_score: float) -> str:
    """The network's description, so that it tells all from the score `min_score`.

    As it comes, it tells the best 100 of a picture, and nobody knows what else was nearly as good.
    """
    for key, old, new in (
        ("confidence_threshold", "f: 1e-08", f"f: {max(min_score, 1e-8):.9f}"),
        ("keep_top_k", "i: 100", f"i: {CELLS * LABELS}"),
        ("top_k", "i: 100", f"i: {CELLS}"),
    ):
        pattern = rf'(key: "{key}"\s+value {{\s+){re.escape(old)}\b'
        graph = re.sub(pattern, rf"\g<1>{new}", graph)
    return graph


def _import_opencv() -> Any:
    """The module cv2. Raises InputError where there is none that reads the network."""
    advice = "pip install 'locvlm[detect]', or name another detector"
    try:
        import cv2
    except ImportError as error:  # also where a library of the system's is missing
        raise InputError(f"the detector ssd needs OpenCV ({error}); {advice}") from None
    if int(cv2.__version__.partition(".")[0]) >= 5:
        raise InputError(f"the detector ssd needs OpenCV 4, not {cv2.__version__}; {advice}")
    return cv2
