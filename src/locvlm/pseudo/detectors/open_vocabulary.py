"""Detectors of transformers that are told what to look for: Grounding DINO, OWLv2, …"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from locvlm.pseudo.detectors.base import Detections


class OpenVocabulary:
    """An `AutoModelForZeroShotObjectDetection`.

    Args:
        model: on its device.
        processor: takes pictures and names.
        categories: what to look for.
        least: score below which nothing is told.
    """

    def __init__(self, model: Any, processor: Any, categories: tuple[str, ...], least: float):
        self._model, self._processor, self._least = model, processor, least
        self.categories = categories
        self._place = {name.strip().casefold(): i for i, name in enumerate(categories)}

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        """All together."""
        import torch

        names = [list(self.categories) for _ in pictures]
        inputs = self._processor(
            images=list(pictures), text=names, padding=True, return_tensors="pt"
        ).to(self._model.device)
        with torch.inference_mode():
            outputs = self._model(**inputs)
        found = self._processor.post_process_grounded_object_detection(
            outputs,
            threshold=self._least,
            target_sizes=[(picture.height, picture.width) for picture in pictures],
            text_labels=names,
        )
        return [self._of(item) for item in found]

    def _of(self, item: dict[str, Any]) -> Detections:
        # Grounding DINO answers in words, and may answer with those of two names
        said = [str(name).strip().casefold() for name in item["text_labels"]]
        labels = np.array([self._place.get(name, -1) for name in said], np.int64)
        known = labels >= 0
        boxes = item["boxes"].double().cpu().numpy().reshape(-1, 4)[known]
        scores = item["scores"].double().cpu().numpy()[known]
        return Detections(boxes, scores, labels[known], self._least)
