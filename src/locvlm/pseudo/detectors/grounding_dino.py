"""Grounding DINO (arXiv 2303.05499): told what to look for, all of it in one text.

It says how well a box fits each token of "dog. red car."; what a box is takes the mean over the
tokens of a name, as in the authors' evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from locvlm.errors import InputError
from locvlm.pseudo.detectors.base import DetectorFamily, DetectorOutput
from locvlm.pseudo.detectors.frames import boxes_in_pixels, preprocess


class GroundingDino:
    """The detector. Raises InputError for names that it cannot read, or too many of them.

    Args:
        model: on its device.
        processor: its image processor and tokenizer.
        categories: what to look for.
        min_score: score below which nothing is told.
    """

    def __init__(self, model: Any, processor: Any, categories: tuple[str, ...], min_score: float):
        self._model, self._images, self._min_score = model, processor.image_processor, min_score
        self.categories = categories
        text, spans = _join_names(categories)
        tokens = processor.tokenizer(
            text, return_offsets_mapping=True, return_token_type_ids=True, return_tensors="pt"
        )
        offsets = tokens.pop("offset_mapping")[0].numpy()
        longest = model.config.max_text_len
        if len(offsets) > longest:
            raise InputError(
                f"--classes: {len(offsets)} tokens; the detector reads {longest}: give fewer or "
                "shorter names"
            )
        self._tokens = tokens.to(model.device)
        self._shares = _token_shares(offsets, spans)
        for name, shares in zip(categories, self._shares.T, strict=True):
            if not shares.any():
                raise InputError(f"--classes: {name!r} has no token; write it in words")

    def detect(self, images: Sequence[Image.Image]) -> list[DetectorOutput]:
        """One after the other."""
        return [self._detect(image) for image in images]

    @torch.inference_mode()
    def _detect(self, image: Image.Image) -> DetectorOutput:
        pixels = preprocess(self._images, image).to(self._model.device)
        outputs = self._model(**self._tokens, **pixels)
        fits = outputs.logits[0].sigmoid().double().cpu().numpy()  # Q, tokens and more
        scores = fits[:, : len(self._shares)] @ self._shares
        sides = np.array(image.size)
        return DetectorOutput.from_scores(
            boxes_in_pixels(outputs.pred_boxes[0], sides), scores, self._min_score
        )


FAMILIES = (
    DetectorFamily(
        ("GroundingDinoForObjectDetection", "MMGroundingDinoForObjectDetection"),
        GroundingDino,
        needs_categories=True,
        reads_text=True,
    ),
)


def _join_names(categories: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """One text, and where in it each name starts and ends."""
    text, spans = "", []
    for name in categories:
        if {".", "?"}.intersection(name):
            raise InputError(f"--classes: {name!r} has a sign that ends a name; leave it out")
        spans.append((len(text), len(text) + len(name.lower())))
        text += f"{name.lower()}. "
    return text.rstrip(), spans


def _token_shares(
    offsets: NDArray[np.int64], spans: Sequence[tuple[int, int]]
) -> NDArray[np.float64]:
    """(T, C): 1 / n for the n tokens of a category's name, else 0.

    Args:
        offsets: (T, 2), where in the text each token starts and ends; alike for special ones.
        spans: of the names.
    """
    starts, ends = offsets.T
    within = np.stack([(starts >= a) & (ends <= b) & (starts < ends) for a, b in spans], axis=1)
    return within / np.maximum(within.sum(0), 1)
