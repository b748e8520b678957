"""Boxes for pictures without any: weak supervision by a detector (arXiv 2404.07449).

What is surely there gets a box, what surely is not is named as absent, and what the detector is not
sure of is neither: it may have more instances than boxes, and no question takes it for absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from locvlm.errors import InputError
from locvlm.geometry import iou
from locvlm.io.outputs import Reads
from locvlm.media.image_files import IMAGE_SUFFIXES
from locvlm.media.images import open_image
from locvlm.parallel.engines import Engine
from locvlm.parallel.parts import run_in_parts
from locvlm.pseudo import coco_file, detectors
from locvlm.pseudo.detection_file import (
    DetectionRow,
    DetectionSummary,
    has_suffix,
    list_files,
    parts_folder,
    write_detections,
)
from locvlm.pseudo.detectors import DetectorOutput

BATCH_SIZE = 8  # pictures
SAME_THING_IOU = 0.3  # IoU from which a less sure box is likely the surer one's thing, not another


class DetectOptions(msgspec.Struct, frozen=True):
    """How detections become annotations."""

    detector: str = detectors.SSD
    threshold: float = 0.6  # score from which a box is one
    absent_below: float = 0.2  # score that no box of an absent category has
    overlap: float = 0.6  # IoU from which the less sure of two boxes of a category is left out
    categories: tuple[str, ...] = ()  # to look for; empty: all that the detector knows
    names: dict[str, str] = {}  # the detector's -> ours; those without one are left out, if any has

    def check(self) -> None:
        """Raises InputError where a number is out of range."""
        if not 0 <= self.absent_below <= self.threshold <= 1:
            raise InputError(
                f"--absent-below {self.absent_below} and --threshold {self.threshold}: give "
                "0 ≤ absent-below ≤ threshold ≤ 1"
            )
        if not 0 < self.overlap <= 1:
            raise InputError(f"--overlap {self.overlap}: an IoU above 0, and 1 at most")


def detect(
    images: Path,
    out: Path,
    settings: DetectOptions,
    *,
    limit: int | None = None,
    engine: Engine = "local",
    workers: int = 1,
) -> DetectionSummary:
    """Write what is seen in the pictures of a folder, and of those in it, as a COCO file.

    A stopped run goes on. A picture that cannot be read is skipped and listed.

    Args:
        images: folder of pictures.
        out: COCO file to write; unfinished work is kept in ``OUT.parts`` beside it.
        settings: the detector, and what is made of what it sees.
        limit: pictures, the first ones by name; None: all.
        engine: where the detector runs (see `run_in_parts`).
        workers: how many of it.

    Raises:
        InputError: a setting is out of range, `out` holds something else, the detector cannot be
            had, or no picture can be read.
    """
    settings.check()
    coco_file.check_output(out, Reads([images, Path(settings.detector)]))
    listing = list_files(images, has_suffix(IMAGE_SUFFIXES), "picture")
    names = listing.names[:limit]
    categories = categories_of(settings)
    provenance = {"by": "pseudo detect", **msgspec.to_builtins(settings)}
    rows = run_in_parts(
        partial(_detect_files, settings, images),
        names,
        parts_folder(out),
        provenance,
        kind=DetectionRow,
        doing=f"Detecting · {settings.detector}",
        batch_size=BATCH_SIZE,
        engine=engine,
        workers=workers,
        gpu=settings.detector != detectors.SSD,
    )
    seen = dict(zip(names, rows, strict=True))
    whole = {**provenance, **detectors.tell_lack(settings.detector)}
    return write_detections(out, seen, categories, whole, listing.skipped)


def categories_of(settings: DetectOptions) -> tuple[str, ...]:
    """Those of the file, in the detector's order. Raises InputError for unknown names."""
    return tuple(dict.fromkeys(_category_names(settings).values()))


def _category_names(settings: DetectOptions) -> dict[str, str]:
    """The detector's names of what is looked for, each with ours."""
    known = _detector(settings).categories
    for name in (*settings.names, *settings.categories):
        if name not in known:
            raise InputError(
                f"{settings.detector} does not know {name!r}; it knows {', '.join(known)}"
            )
    chosen = settings.categories or known
    ours = settings.names or {name: name for name in known}
    names = {name: ours[name] for name in known if name in chosen and name in ours}
    if not names:
        raise InputError("--class-map names none of --classes; nothing would be looked for")
    return names


@cache
def _load_detector(name: str, categories: tuple[str, ...], min_score: float) -> detectors.Detector:
    return detectors.load(name, categories=categories, min_score=min_score)


def _detector(settings: DetectOptions) -> detectors.Detector:
    """Loaded once per process."""
    return _load_detector(settings.detector, settings.categories, settings.absent_below)


def _detect_files(
    settings: DetectOptions, images: Path, names: Sequence[str]
) -> list[DetectionRow]:
    _detector(settings)  # what it lacks is not the fault of a picture
    return [_detect_file(settings, images / name) for name in names]


def _detect_file(settings: DetectOptions, path: Path) -> DetectionRow:
    """What is seen in a picture file, or why it cannot be looked at."""
    try:
        image = open_image(path)
    except InputError as error:
        return DetectionRow(error=str(error))
    try:
        return detect_images(settings, [image])[0]
    except InputError as error:
        return DetectionRow(error=f"{path}: {error}")


def detect_images(settings: DetectOptions, images: Sequence[Image]) -> list[DetectionRow]:
    """What is seen in upright RGB pictures.

    Raises:
        InputError: there is no such detector, or it cannot look at a picture.
    """
    detector, categories = _detector(settings), categories_of(settings)
    places = {name: categories.index(ours) for name, ours in _category_names(settings).items()}
    place_of = np.array([places.get(name, -1) for name in detector.categories])
    found = detector.detect(images)
    return [
        classify_boxes(each, image.size, place_of, len(categories), settings)
        for each, image in zip(found, images, strict=True)
    ]


def classify_boxes(
    found: DetectorOutput,
    size: tuple[int, int],
    places: NDArray[np.int64],
    count: int,
    settings: DetectOptions,
) -> DetectionRow:
    """What is there, what is absent, and what is unsure.

    Args:
        found: by the detector, in pixels of the picture.
        size: (width, height) of the picture.
        places: of each of the detector's categories, its place among ours; -1: it is none of ours.
        count: how many categories we have.
        settings: the thresholds.
    """
    labels, scores = places[found.labels], found.scores
    boxes = np.clip(found.boxes, 0, (*size, *size)).round(2)
    seen = (labels >= 0) & (scores >= settings.absent_below)
    sure = seen & (scores >= settings.threshold) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    boxed = np.flatnonzero(sure)
    boxed = boxed[suppress_duplicates(boxes[boxed], scores[boxed], labels[boxed], settings.overlap)]
    perhaps = np.flatnonzero(seen & ~sure)
    same = iou(boxes[perhaps], boxes[boxed]) >= SAME_THING_IOU
    same &= labels[perhaps, None] == labels[boxed]
    boxless = {int(places[label]) for label in found.boxless} - {-1}
    unsure = boxless.union(labels[perhaps[~same.any(1)]].tolist())
    present = unsure.union(labels[boxed].tolist())
    return DetectionRow(
        *size,
        [tuple(box) for box in boxes[boxed].tolist()],
        scores[boxed].round(4).tolist(),
        labels[boxed].tolist(),
        [place for place in range(count) if place not in present],
        sorted(unsure),
        sorted(boxless),
        doubles=int(sure.sum()) - len(boxed),
    )


def suppress_duplicates(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    overlap: float,
) -> NDArray[np.int64]:
    """Rows that stay: of two boxes of a category that overlap, the surer one; the surest first.

    Args:
        boxes: (N, 4) xyxy.
        scores: (N,).
        labels: (N,).
        overlap: IoU from which the less sure one goes.
    """
    rows: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        rivals = [other for other in rows if labels[other] == labels[row]]
        if not rivals or iou(boxes[row], boxes[rivals]).max() < overlap:
            rows.append(row)
    return np.array(rows, np.int64)
