"""Segmenters of transformers that label every pixel: Mask2Former, OneFormer.

What no pixel belongs to is absent: the exhaustive absence that arXiv 2404.07449 takes from SEEM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locvlm.pseudo.detectors.base import Detections

SURE = 0.5  # chance from which a segment is one


class Panoptic:
    """An `AutoModelForUniversalSegmentation`.

    Args:
        model: with its names in ``config.id2label``.
        processor: its processor or image processor.
    """

    def __init__(self, model: Any, processor: Any):
        self._model, self._processor = model, processor
        names = {int(i): name for i, name in model.config.id2label.items()}
        self.categories = tuple(names[i] for i in sorted(names))
        self._place = {i: place for place, i in enumerate(sorted(names))}

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        """All together."""
        import torch

        task = {"task_inputs": ["panoptic"] * len(pictures)}  # OneFormer is told what to do
        given = task if self._model.config.model_type == "oneformer" else {}
        inputs = self._processor(images=list(pictures), return_tensors="pt", **given)
        with torch.inference_mode():
            outputs = self._model(**inputs.to(self._model.device))
        found = self._processor.post_process_panoptic_segmentation(
            outputs,
            threshold=SURE,
            label_ids_to_fuse=set(),
            target_sizes=[(picture.height, picture.width) for picture in pictures],
        )
        return [self._of(item) for item in found]

    def _of(self, item: dict[str, Any]) -> Detections:
        pixels = item["segmentation"].cpu().numpy()
        seen = [(info, _extent(pixels == info["id"])) for info in item["segments_info"]]
        seen = [(info, box) for info, box in seen if box is not None]
        return Detections(
            np.array([box for _, box in seen], np.float64).reshape(-1, 4),
            np.array([info["score"] for info, _ in seen], np.float64),
            np.array([self._place[info["label_id"]] for info, _ in seen], np.int64),
        )


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """xyxy of the pixels in an (H, W) mask; None where there are none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
