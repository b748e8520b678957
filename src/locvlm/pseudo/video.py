"""Boxes for clips: what a detector sees in some frames, if it holds still (arXiv 2404.07449).

What is static gets its mean box, what is in no frame is named as absent. Of the rest, such as what
moves, nobody knows where it is, yet it is there: no question takes it for absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from locvlm.errors import InputError
from locvlm.geometry import Frame, Size, iou
from locvlm.io.outputs import Reads
from locvlm.media.clips import FRAMES, is_clip_file, open_clip
from locvlm.media.containers import check_pyav
from locvlm.parallel.engines import Engine
from locvlm.parallel.parts import run_in_parts
from locvlm.processors import frame_of
from locvlm.pseudo import coco_file, detectors
from locvlm.pseudo.detect import BATCH_SIZE, DetectOptions, categories_of, detect_images
from locvlm.pseudo.detection_file import (
    DetectionRow,
    DetectionSummary,
    list_files,
    parts_folder,
    write_detections,
)
from locvlm.pseudo.objects_file import (
    ObjectsSummary,
    SeenInClip,
    check_objects_output,
    sum_objects,
    write_objects,
)
from locvlm.pseudo.static import MAX_SHIFT, find_static

CLIPS_PER_BATCH = 4  # per batch
ROWS = 2  # form of the rows of unfinished work; those of another lack something


class VideoOptions(msgspec.Struct, frozen=True):
    """How a clip is watched."""

    frames: int = FRAMES  # uniform in time
    model: str = ""  # in whose pixels a static object holds still
    size: int = 224  # without a model: pixels a side, the clip stretched to a square

    def check(self) -> None:
        """Raises InputError where a number is out of range, or PyAV is not installed."""
        for name, value in (("frames", self.frames), ("size", self.size)):
            if value < 1:
                raise InputError(f"--{name} must be at least 1, not {value}")
        check_pyav()

    def record(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            **({"model": self.model} if self.model else {"size": self.size}),
            "static_within": MAX_SHIFT,
        }

    def frame(self, size: Size) -> Frame:
        """From a clip's pixels to the model's. Raises InputError where the model is unknown."""
        if not self.model:
            return Frame.resize(size, self.size)
        return frame_of(_processor(self.model), size)


class ClipDetectionRow(SeenInClip, frozen=True):
    """One clip."""

    moving: int = 0  # categories without a box because they move, or may
    several: int = 0  # likewise: more than one of them in a frame
    cut: bool = False  # the file is damaged or ends early
    notes: tuple[str, ...] = ()  # what else is odd about it, `Clip.notes`


@dataclass
class ClipDetectionSummary(DetectionSummary):
    """What came of it."""

    moving: int = 0  # categories in clips, as above
    several: int = 0
    cut: list[str] = field(default_factory=list)  # clips of which only a part was seen
    notes: dict[str, list[str]] = field(default_factory=dict)  # clip -> what else is odd about it
    others: list[str] = field(default_factory=list)  # files that are no clips by their names
    objects: ObjectsSummary = field(
        default_factory=ObjectsSummary
    )  # what is present and absent, boxes or not


def annotate_clips(
    clips: Path,
    out: Path,
    settings: DetectOptions,
    watching: VideoOptions,
    *,
    objects: Path | None = None,
    limit: int | None = None,
    engine: Engine = "local",
    workers: int = 1,
) -> ClipDetectionSummary:
    """Write the static objects of the clips in a folder, and those in it, as a COCO file.

    Its pictures are the clips; boxes are in their pixels as displayed. A stopped run goes on. A
    clip that cannot be read is skipped and listed; one of which a part is missing is listed.

    Args:
        clips: folder of clips.
        out: COCO file to write; unfinished work is kept in ``OUT.parts`` beside it.
        settings: the detector, and what is made of what it sees.
        watching: how the clips are watched.
        objects: JSON lines to write for the task hal-act, too: what is present in each clip, also
            where it moves or is there several times, and what is absent; None: not.
        limit: clips, the first ones by name; None: all.
        engine: where the detector runs (see `run_in_parts`).
        workers: how many of it.

    Raises:
        InputError: a setting is out of range, `out` holds something else, detector, model or PyAV
            cannot be had, or no clip can be read.
    """
    settings.check()
    watching.check()
    reads = Reads([clips, Path(settings.detector)])
    coco_file.check_output(out, reads)
    if objects is not None:
        check_objects_output(objects, out, reads)
    listing = list_files(clips, is_clip_file, "clip")
    names = listing.names[:limit]
    categories = categories_of(settings)
    watching.frame((224, 224))  # a model that is not known is told before the work
    provenance = {
        "by": "pseudo video",
        **msgspec.to_builtins(settings),
        **watching.record(),
    }
    rows = run_in_parts(
        partial(_detect_clips, settings, watching, clips),
        names,
        parts_folder(out),
        {**provenance, "rows": ROWS},
        kind=ClipDetectionRow,
        doing=f"Watching · {settings.detector}",
        batch_size=CLIPS_PER_BATCH,
        engine=engine,
        workers=workers,
        gpu=settings.detector != detectors.SSD,
    )
    seen = dict(zip(names, rows, strict=True))
    cut = [name for name, row in seen.items() if row.cut]
    notes = {name: list(row.notes) for name, row in seen.items() if row.notes}
    odd: dict[str, Any] = {"cut": cut, **({"notes": notes} if notes else {})}
    odd |= detectors.tell_lack(settings.detector)
    if objects is not None:  # first: `write_detections` removes the unfinished work
        write_objects(objects, seen, categories)
    result = write_detections(out, seen, categories, {**provenance, **odd}, listing.skipped)
    return ClipDetectionSummary(
        **vars(result),
        moving=sum(row.moving for row in seen.values()),
        several=sum(row.several for row in seen.values()),
        cut=cut,
        notes=notes,
        others=listing.others,
        objects=sum_objects(seen, categories),
    )


@cache
def _processor(model: str) -> Any:
    """Loaded once per process."""
    from locvlm.models.load import read_processor

    return read_processor(model)


def _detect_clips(
    settings: DetectOptions, watching: VideoOptions, clips: Path, names: Sequence[str]
) -> list[ClipDetectionRow]:
    categories_of(settings)  # what the detector lacks is not the fault of a clip
    return [_detect_clip(settings, watching, clips / name) for name in names]


def _detect_clip(settings: DetectOptions, watching: VideoOptions, path: Path) -> ClipDetectionRow:
    """What is seen in a clip, or why it cannot be looked at."""
    try:
        clip = open_clip(path, watching.frames)
    except InputError as error:
        return ClipDetectionRow(error=str(error))
    frames = [
        frame
        for frame, before in zip(clip.frames, (None, *clip.frames), strict=False)
        if frame is not before
    ]
    # What is sure in one frame is less so in the next: all that may be there counts
    perhaps = msgspec.structs.replace(settings, threshold=settings.absent_below)
    rows: list[DetectionRow] = []
    try:
        for start in range(0, len(frames), BATCH_SIZE):
            rows += detect_images(perhaps, frames[start : start + BATCH_SIZE])
        row = combine_frames(rows, settings, watching.frame(clip.size))
    except InputError as error:
        return ClipDetectionRow(error=f"{path}: {error}")
    return msgspec.structs.replace(row, cut=clip.cut, notes=clip.notes)


def combine_frames(
    rows: Sequence[DetectionRow], settings: DetectOptions, seen_by: Frame
) -> ClipDetectionRow:
    """What the frames of a clip show together.

    A category has a box where what is surely seen of it holds still. Where something less sure of
    it lies elsewhere, there may be more instances than that; and if it is surely seen in one frame
    alone, it may as well have moved, and has none.

    Args:
        rows: of the frames, with all boxes that may be right.
        settings: which of them surely are, and which two are of the same thing.
        seen_by: from the clip's pixels to those of the model.
    """
    boxes = np.array([box for row in rows for box in row.boxes], np.float64).reshape(-1, 4)
    labels = np.array([label for row in rows for label in row.labels], np.int64)
    scores = np.array([score for row in rows for score in row.scores], np.float64)
    frames = np.repeat(np.arange(len(rows)), [len(row.boxes) for row in rows])
    sure = scores >= settings.threshold
    found = find_static(boxes[sure], labels[sure], frames[sure], seen_by)
    exhaustive, still = [], []
    for place, (label, box) in enumerate(zip(found.labels.tolist(), found.boxes, strict=True)):
        own = labels == label
        if (iou(box, boxes[own & ~sure]) >= settings.overlap).all():
            exhaustive.append(label)
            still.append(place)
        elif np.count_nonzero(own & sure) > 1:
            still.append(place)
    static = found.labels[still].tolist()
    return ClipDetectionRow(
        width=rows[0].width,
        height=rows[0].height,
        boxes=[tuple(box) for box in found.boxes[still].round(2).tolist()],
        scores=[float(scores[labels == label].max()) for label in static],
        labels=static,
        absent=sorted(set.intersection(*(set(row.absent) for row in rows))),
        unsure=sorted(
            set(labels.tolist()).difference(exhaustive).union(*(row.unsure for row in rows))
        ),
        present=tuple(sorted(set(labels[sure].tolist()).union(*(row.boxless for row in rows)))),
        doubles=sum(row.doubles for row in rows),
        moving=len(found.moving) + len(found.labels) - len(still),
        several=len(found.several),
    )
