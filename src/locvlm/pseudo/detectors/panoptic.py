"""Segmenters of transformers that label every pixel: Mask2Former, OneFormer.

What no pixel belongs to is absent: the exhaustive absence that arXiv 2404.07449 takes from SEEM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from locvlm.pseudo.detectors.base import Detections
from locvlm.pseudo.detectors.stuff import stuff_among

SURE = 0.5  # chance from which a segment is one


class Panoptic:
    """A segmenter: things have boxes, stuff is only seen.

    Args:
        model: with its names in ``config.id2label``.
        processor: its image processor; OneFormer's with its tokenizer.
    """

    def __init__(self, model: Any, processor: Any):
        self._model, self._processor = model, processor
        names = {int(i): name for i, name in model.config.id2label.items()}
        known = [i for i, name in sorted(names.items()) if name.upper() != "N/A"]
        self.categories = tuple(names[i] for i in known)
        self._place = {i: place for place, i in enumerate(known)}
        self._stuff = stuff_among(self.categories)
        fused = {known[place] for place in self._stuff}
        eomt = model.config.model_type.startswith("eomt")
        self._fused = {"stuff_classes": sorted(fused)} if eomt else {"label_ids_to_fuse": fused}
        self._task, self._reader = {}, processor
        if model.config.model_type == "oneformer":
            self._task = {"task_inputs": ["panoptic"]}
            # MaskFormer's reads the same, and OneFormer's own needs torchvision
            self._reader = transformers.MaskFormerImageProcessorPil()

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        """One after the other: padding them to a common size would move the segments."""
        return [self._detect(picture) for picture in pictures]

    @torch.inference_mode()
    def _detect(self, picture: Image.Image) -> Detections:
        inputs = self._processor(images=[picture], return_tensors="pt", **self._task)
        outputs = self._model(**inputs.to(self._model.device))
        size = (picture.height, picture.width)
        [found] = self._reader.post_process_panoptic_segmentation(
            outputs, threshold=SURE, target_sizes=[size], **self._fused
        )
        return self._of(found)

    def _of(self, found: dict[str, Any]) -> Detections:
        pixels = found["segmentation"].cpu().numpy()
        # What is N/A is none of the categories
        segments = [info for info in found["segments_info"] if info["label_id"] in self._place]
        labels = [self._place[info["label_id"]] for info in segments]
        things = [place for place, label in enumerate(labels) if label not in self._stuff]
        boxes = [_extent(pixels == segments[place]["id"]) for place in things]
        return Detections(
            np.array(boxes, np.float64).reshape(-1, 4),
            np.array([segments[place]["score"] for place in things], np.float64),
            np.array([labels[place] for place in things], np.int64),
            self._stuff.intersection(labels),
        )


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """xyxy of the pixels in an (H, W) mask, one at least."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
