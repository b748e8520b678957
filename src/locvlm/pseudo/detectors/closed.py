"""Detectors of transformers with categories of their own: DETR and its kin, RT-DETR, YOLOS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from locvlm.pseudo.detectors.base import DetectorOutput
from locvlm.pseudo.detectors.frames import boxes_in_pixels, preprocess


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
        self._count = len(names)
        self._known = [i for i, name in sorted(names.items()) if name.upper() != "N/A"]
        self.categories = tuple(names[i] for i in self._known)

    def detect(self, pictures: Sequence[Image.Image]) -> list[DetectorOutput]:
        """One after the other: padding them to a common size would move the boxes of YOLOS."""
        return [self._detect(picture) for picture in pictures]

    @torch.inference_mode()
    def _detect(self, picture: Image.Image) -> DetectorOutput:
        inputs = preprocess(self._processor, picture).to(self._model.device)
        outputs = self._model(**inputs)
        logits = outputs.logits[0]  # Q, C or C + 1
        # Some choose between the categories and a last one, "nothing"; others judge each alone
        one_of = logits.shape[-1] > self._count
        chances = logits.softmax(-1)[:, :-1] if one_of else logits.sigmoid()
        chances = chances.double().cpu().numpy()[:, self._known]
        sides = np.array([picture.width, picture.height])
        return DetectorOutput.of_chances(
            boxes_in_pixels(outputs.pred_boxes[0], sides), chances, self._least
        )
