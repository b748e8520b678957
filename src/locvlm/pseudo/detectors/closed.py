"""Any detector of transformers with categories of its own: DETR, RT-DETR, YOLOS, …"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from locvlm.pseudo.detectors.base import Detections


class ClosedSet:
    """An `AutoModelForObjectDetection`.

    Args:
        model: with its names in ``config.id2label``.
        processor: its image processor.
        least: score below which nothing is told.
    """

    def __init__(self, model: Any, processor: Any, least: float):
        self._model, self._processor, self._least = model, processor, least
        names = {int(i): name for i, name in model.config.id2label.items()}
        kept = {i: name for i, name in sorted(names.items()) if name.upper() != "N/A"}
        self.categories = tuple(kept.values())
        self._place = np.full(max(names) + 1, -1)
        self._place[list(kept)] = range(len(kept))

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        """All together."""
        import torch

        inputs = self._processor(images=list(pictures), return_tensors="pt")
        with torch.inference_mode():
            outputs = self._model(**inputs.to(self._model.device))
        sizes = [(picture.height, picture.width) for picture in pictures]
        found = self._processor.post_process_object_detection(
            outputs, threshold=self._least, target_sizes=sizes
        )
        return [self._of(item) for item in found]

    def _of(self, item: dict[str, Any]) -> Detections:
        labels = self._place[item["labels"].cpu().numpy()]
        known = labels >= 0
        boxes = item["boxes"].double().cpu().numpy()[known]
        scores = item["scores"].double().cpu().numpy()[known]
        return Detections(boxes, scores, labels[known], self._least)
