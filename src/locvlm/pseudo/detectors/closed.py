"""Detectors of transformers with categories of their own: DETR and its kin, RT-DETR, YOLOS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from locvlm.pseudo.detectors.base import DetectorFamily, DetectorOutput
from locvlm.pseudo.detectors.frames import boxes_in_pixels, preprocess


class ClosedSet:
    """An `AutoModelForObjectDetection`.

    Args:
        model: with its names in ``config.id2label``.
        processor: its image processor.
        min_score: score below which nothing is told.
    """

    def __init__(self, model: Any, processor: Any, min_score: float):
        self._model, self._processor, self._min_score = model, processor, min_score
        names = {int(i): name for i, name in model.config.id2label.items()}
        self._count = len(names)
        self._known = [i for i, name in sorted(names.items()) if name.upper() != "N/A"]
        self.categories = tuple(names[i] for i in self._known)

    def detect(self, images: Sequence[Image.Image]) -> list[DetectorOutput]:
        """One after the other: padding them to a common size would move the boxes of YOLOS."""
        return [self._detect(image) for image in images]

    @torch.inference_mode()
    def _detect(self, image: Image.Image) -> DetectorOutput:
        inputs = preprocess(self._processor, image).to(self._model.device)
        outputs = self._model(**inputs)
        logits = outputs.logits[0]  # Q, C or C + 1
        # Some choose between the categories and a last one, "nothing"; others judge each alone
        one_of = logits.shape[-1] > self._count
        scores = logits.softmax(-1)[:, :-1] if one_of else logits.sigmoid()
        scores = scores.double().cpu().numpy()[:, self._known]
        sides = np.array([image.width, image.height])
        return DetectorOutput.from_scores(
            boxes_in_pixels(outputs.pred_boxes[0], sides), scores, self._min_score
        )


FAMILIES = (
    DetectorFamily(
        (
            *("ConditionalDetrForObjectDetection", "DFineForObjectDetection"),
            *("DabDetrForObjectDetection", "DeformableDetrForObjectDetection"),
            *("DetrForObjectDetection", "LwDetrForObjectDetection", "RTDetrForObjectDetection"),
            *("RTDetrV2ForObjectDetection", "TableTransformerForObjectDetection"),
            "YolosForObjectDetection",
        ),
        lambda model, processor, _, min_score: ClosedSet(model, processor, min_score),
    ),
)
