"""Segmenters of transformers that label every pixel: Mask2Former, OneFormer.

What no pixel belongs to is absent: the exhaustive absence that arXiv 2404.07449 takes from SEEM.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from locvlm.pseudo.detectors.base import DetectorFamily, DetectorOutput
from locvlm.pseudo.detectors.frames import preprocess
from locvlm.pseudo.detectors.stuff import stuff_among

SURE = 0.5  # probability from which a segment is one, and a pixel its own
VISIBLE = 0.8  # share of a segment's pixels that no other one may take


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
        kind = model.config.model_type
        self._padded = kind.startswith("eomt")  # to a square, on the right or at the bottom
        self._processor_options: dict[str, Any] = {}
        if kind == "oneformer":
            self._processor_options = {"task_inputs": ["panoptic"]}
        elif self._padded:
            self._processor_options = {"do_pad": True, "do_split_image": False}

    def detect(self, images: Sequence[Image.Image]) -> list[DetectorOutput]:
        """One after the other: padding them to a common size would move the segments."""
        return [self._detect(image) for image in images]

    @torch.inference_mode()
    def _detect(self, image: Image.Image) -> DetectorOutput:
        inputs = preprocess(self._processor, image, **self._processor_options).to(
            self._model.device
        )
        outputs = self._model(**inputs)
        detr = hasattr(outputs, "pred_masks")
        classes = outputs.logits if detr else outputs.class_queries_logits
        masks = outputs.pred_masks if detr else outputs.masks_queries_logits
        scores, labels = classes[0].softmax(-1).max(-1)  # Q; the last label is "nothing"
        rows = [
            row
            for row, (score, label) in enumerate(zip(scores.tolist(), labels.tolist(), strict=True))
            if score >= SURE and label in self._place
        ]
        # Not at the picture's size, which may be any: the model sees no more than its input
        size = inputs["pixel_values"].shape[-2:]
        logits = (interpolate(masks[:, [row]], size, mode="bilinear")[0, 0] for row in rows)
        scale = np.array(image.size) / np.array(size[::-1])
        return self._of(
            [logit.sigmoid() for logit in logits],
            scores[rows],
            [self._place[label] for label in labels[rows].tolist()],
            np.full(2, scale.max()) if self._padded else scale,
        )

    def _of(
        self,
        masks: Sequence[torch.Tensor],
        scores: torch.Tensor,
        labels: Sequence[int],
        scale: NDArray[np.float64],
    ) -> DetectorOutput:
        """Of N segments.

        Args:
            masks: N of (H, W), the probability that a pixel of the input belongs to it.
            scores: (N,).
            labels: (N,), places in the categories.
            scale: (2,), pixels of the picture per pixel of the input, x and y.
        """
        visible = list(_visible_segments(masks, scores))
        things = [row for row, _ in visible if labels[row] not in self._stuff]
        boxes = [_bounding_box(pixels) for row, pixels in visible if labels[row] not in self._stuff]
        return DetectorOutput(
            np.array(boxes, np.float64).reshape(-1, 4) * np.tile(scale, 2),
            scores.double().cpu().numpy()[things],
            np.array([labels[row] for row in things], np.int64),
            self._stuff.intersection(labels[row] for row, _ in visible),
        )


def _build(model: Any, processor: Any, categories: tuple[str, ...], min_score: float) -> Panoptic:
    """Neither what to look for nor a score can be told to it."""
    return Panoptic(model, processor)


FAMILIES = (
    DetectorFamily(("DetrForSegmentation",), _build),
    DetectorFamily(
        (
            *("EomtForUniversalSegmentation", "Mask2FormerForUniversalSegmentation"),
            "MaskFormerForInstanceSegmentation",
        ),
        _build,
        needs_scipy=True,
    ),
    DetectorFamily(
        ("OneFormerForUniversalSegmentation",),
        _build,
        needs_scipy=True,
        reads_text=True,
        # Its names of classes are for training alone, and would be fetched from the hub
        processor_options={"class_info_file": None},
    ),
)


def _visible_segments(
    masks: Sequence[torch.Tensor], scores: torch.Tensor
) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """Segments that others leave most of, and their pixels (H, W), as in arXiv 2107.06278.

    A pixel belongs to the segment with the best probability and score. Unlike transformers' own
    way it must also be one that this segment claims: else those that nobody claims go to any of
    them, and its box grows to the whole picture.
    """
    if not len(masks):
        return
    owner = torch.stack([mask * score for mask, score in zip(masks, scores, strict=True)]).argmax(0)
    for row, mask in enumerate(masks):
        claimed = mask >= SURE
        own = claimed & (owner == row)
        if own.sum() > VISIBLE * claimed.sum():
            yield row, own.cpu().numpy()


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Xyxy of the pixels in an (H, W) mask, one at least."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
