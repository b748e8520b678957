"""Boxes for pictures without any: weak supervision by a detector (arXiv 2404.07449).

What is surely there gets a box, what surely is not is named as absent, and what the detector is not
sure of is neither: it may have more instances than boxes, and no question takes it for absent.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from locvlm.annotations.pictures import SUFFIXES, checked_folder
from locvlm.errors import InputError
from locvlm.geometry import iou
from locvlm.inference.pictures import open_picture
from locvlm.instructions.engines import Engine
from locvlm.pseudo import coco_file, detectors
from locvlm.pseudo.detectors import Detections
from locvlm.pseudo.parts import in_parts

BATCH_SIZE = 8  # pictures


class Settings(msgspec.Struct, frozen=True):
    """How detections become annotations."""

    detector: str = detectors.SSD
    threshold: float = 0.5  # score from which a box is one
    absent_below: float = 0.1  # score that no box of an absent category has
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


class Seen(msgspec.Struct, frozen=True):
    """One picture."""

    width: int = 0  # pixels, as displayed
    height: int = 0
    boxes: list[tuple[float, float, float, float]] = []  # xyxy
    scores: list[float] = []
    labels: list[int] = []  # places in the categories
    absent: list[int] = []
    unsure: list[int] = []
    error: str = ""  # why it cannot be read


@dataclass
class Detected:
    """What came of it."""

    pictures: int = 0
    boxes: int = 0
    absences: int = 0
    skipped: dict[str, str] = field(default_factory=dict)  # picture -> why


def detect(
    images: Path,
    out: Path,
    settings: Settings,
    *,
    limit: int | None = None,
    engine: Engine = "local",
    workers: int = 1,
) -> Detected:
    """Write what is seen in the pictures of a folder, and of those in it, as a COCO file.

    A stopped run goes on. A picture that cannot be read is skipped and listed.

    Args:
        images: folder of pictures.
        out: COCO file to write; unfinished work is kept in ``OUT.parts`` beside it.
        settings: the detector, and what is made of what it sees.
        limit: pictures, the first ones by name; None: all.
        engine: where the detector runs (see `finished`).
        workers: how many of it.

    Raises:
        InputError: a setting is out of range, `out` holds something else, the detector cannot be
            had, or no picture can be read.
    """
    settings.check()
    coco_file.check_out(out)
    names = pictures_below(images)[:limit]
    if not names:
        raise InputError(f"{images}: no pictures in it; their names end in {', '.join(_ENDINGS)}")
    categories = _categories(settings)
    folder = out.with_name(out.name + ".parts")
    provenance = {"by": "pseudo detect", **msgspec.to_builtins(settings)}
    rows = in_parts(
        partial(_see, settings, images),
        names,
        folder,
        provenance,
        kind=Seen,
        doing=f"Detecting · {settings.detector}",
        batch_size=BATCH_SIZE,
        engine=engine,
        workers=workers,
        gpu=settings.detector != detectors.SSD,
    )
    result = Detected()
    pictures, annotations = [], []
    for number, (name, row) in enumerate(zip(names, rows, strict=True), 1):
        if row.error:
            result.skipped[name] = row.error
            continue
        pictures.append(_picture(number, name, row))
        annotations += _annotations(number, row)
        result.absences += len(row.absent)
    result.pictures, result.boxes = len(pictures), len(annotations)
    if not pictures:
        raise InputError(f"{images}: no picture can be read; {next(iter(result.skipped.values()))}")
    coco_file.write(
        out, categories, pictures, annotations, {**provenance, "skipped": result.skipped}
    )
    shutil.rmtree(folder)
    return result


_ENDINGS = sorted(SUFFIXES)


def pictures_below(folder: Path) -> list[str]:
    """Names of the pictures in a folder and those in it, relative to it, sorted."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in checked_folder(folder).rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _categories(settings: Settings) -> tuple[str, ...]:
    """Those of the file, in the detector's order. Raises InputError for unknown names."""
    known = _detector(settings).categories
    for name in (*settings.names, *settings.categories):
        if name not in known:
            raise InputError(
                f"{settings.detector} does not know {name!r}; it knows {', '.join(known)}"
            )
    chosen = [name for name in known if not settings.categories or name in settings.categories]
    if settings.names:
        return tuple(dict.fromkeys(settings.names[n] for n in chosen if n in settings.names))
    return tuple(dict.fromkeys(chosen))


@cache
def _loaded(name: str, categories: tuple[str, ...], least: float) -> detectors.Detector:
    return detectors.load(name, categories=categories, least=least)


def _detector(settings: Settings) -> detectors.Detector:
    """Loaded once per process."""
    return _loaded(settings.detector, settings.categories, settings.absent_below)


def _see(settings: Settings, images: Path, names: Sequence[str]) -> list[Seen]:
    opened = [_open(images / name) for name in names]
    detector = _detector(settings)
    readable = [picture for picture in opened if isinstance(picture, Image)]
    found = iter(detector.detect(readable) if readable else [])
    categories = _categories(settings)
    place_of = {name: place for place, name in enumerate(categories)}
    ours = settings.names or {name: name for name in categories}
    places = np.array([place_of.get(ours.get(name, ""), -1) for name in detector.categories])
    return [
        judged(next(found), picture.size, places, len(categories), settings)
        if isinstance(picture, Image)
        else Seen(error=picture)
        for picture in opened
    ]


def _open(path: Path) -> Image | str:
    """The picture, or why it cannot be read."""
    try:
        return open_picture(path)
    except InputError as error:
        return str(error)


def judged(
    found: Detections,
    size: tuple[int, int],
    places: NDArray[np.int64],
    count: int,
    settings: Settings,
) -> Seen:
    """What is there, what is absent, and what is unsure.

    Args:
        found: by the detector, in pixels of the picture.
        size: (width, height) of the picture.
        places: of each of the detector's categories, its place among ours; -1: it is none of ours.
        count: how many categories we have.
        settings: the thresholds.
    """
    labels = places[found.labels]
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    ours = (labels >= 0) & (sides > 0).all(1)
    boxes, scores, labels = found.boxes[ours], found.scores[ours], labels[ours]
    sure = scores >= settings.threshold
    kept = distinct(boxes[sure], scores[sure], labels[sure], settings.overlap)
    boxes_kept, labels_kept = boxes[sure][kept], labels[sure][kept]
    perhaps = set(labels[(scores >= settings.absent_below) & ~sure].tolist())
    seen = set(labels_kept.tolist()) | perhaps
    # What was cut off might have been anything
    telling = found.least <= settings.absent_below
    absent = [place for place in range(count) if place not in seen] if telling else []
    unsure = perhaps if telling else set(range(count))
    return Seen(
        *size,
        [tuple(box) for box in boxes_kept.round(2).tolist()],
        scores[sure][kept].round(4).tolist(),
        labels_kept.tolist(),
        absent,
        sorted(unsure),
    )


def distinct(
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
    kept: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        rivals = [other for other in kept if labels[other] == labels[row]]
        if not rivals or iou(boxes[row], boxes[rivals]).max() < overlap:
            kept.append(row)
    return np.array(kept, np.int64)


def _picture(number: int, name: str, row: Seen) -> coco_file.Image:
    return coco_file.Image(
        id=number,
        file_name=name,
        width=row.width,
        height=row.height,
        neg_category_ids=[place + 1 for place in row.absent],
        not_exhaustive_category_ids=[place + 1 for place in row.unsure],
    )


def _annotations(number: int, row: Seen) -> Iterator[coco_file.Annotation]:
    for (x1, y1, x2, y2), score, label in zip(row.boxes, row.scores, row.labels, strict=True):
        yield coco_file.Annotation(
            image_id=number,
            category_id=label + 1,
            bbox=(x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)),
            area=round((x2 - x1) * (y2 - y1), 2),
            iscrowd=0,
            score=score,
        )
