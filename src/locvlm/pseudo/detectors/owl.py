"""OWL-ViT (arXiv 2205.06230) and OWLv2 (2306.09683): told what to look for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from locvlm.errors import InputError
from locvlm.pseudo.detectors.base import DetectorFamily, DetectorOutput
from locvlm.pseudo.detectors.frames import boxes_in_pixels, preprocess


class Owl:
    """The detector. Raises InputError where a category's name is too long for it.

    Args:
        model: on its device.
        processor: its image processor and tokenizer.
        categories: what to look for.
        min_score: score below which nothing is told.
    """

    def __init__(self, model: Any, processor: Any, categories: tuple[str, ...], min_score: float):
        self._model, self._images, self._min_score = model, processor.image_processor, min_score
        self.categories = categories
        # It has the picture padded to a square; its boxes are shares of that
        self._padded = model.config.model_type == "owlv2"
        longest = model.config.text_config.max_position_embeddings
        names = processor.tokenizer(list(categories))["input_ids"]
        for name, tokens in zip(categories, names, strict=True):
            if len(tokens) > longest:
                raise InputError(
                    f"--classes: {name!r} has {len(tokens)} tokens; the detector reads {longest}"
                )
        self._names = processor.tokenizer(
            list(categories), padding="max_length", max_length=longest, return_tensors="pt"
        ).to(model.device)

    def detect(self, images: Sequence[Image.Image]) -> list[DetectorOutput]:
        """One after the other."""
        return [self._detect(image) for image in images]

    @torch.inference_mode()
    def _detect(self, image: Image.Image) -> DetectorOutput:
        pixels = preprocess(self._images, image).to(self._model.device)
        outputs = self._model(**self._names, **pixels)
        scores = outputs.logits[0].sigmoid().double().cpu().numpy()  # Q, C
        sides = np.array([max(image.size)] * 2 if self._padded else image.size)
        return DetectorOutput.from_scores(
            boxes_in_pixels(outputs.pred_boxes[0], sides), scores, self._min_score
        )


FAMILIES = tuple(
    DetectorFamily(
        (architecture,), Owl, needs_categories=True, needs_scipy=needs_scipy, reads_text=True
    )
    for architecture, needs_scipy in (
        ("OwlViTForObjectDetection", False),
        ("Owlv2ForObjectDetection", True),
    )
)
