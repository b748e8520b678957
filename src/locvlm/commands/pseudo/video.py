"""`locvlm pseudo video`: boxes for clips without any."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import msgspec
from tyro.conf import arg

from locvlm.commands.arguments import (
    File,
    Folder,
    Number,
    OptionalFile,
    OptionalModel,
    OptionalNumber,
)
from locvlm.commands.pseudo.detect import Share, settings_of
from locvlm.commands.resuming import resumable
from locvlm.errors import InputError


@resumable()
def video(
    *,
    clips: Folder,
    out: File,
    frames: Number = 8,
    model: OptionalModel = None,
    size: OptionalNumber = None,
    detector: Annotated[str, arg(metavar="NAME|DIR")] = "ssd",
    classes: Annotated[str, arg(metavar="A,B,C")] = "",
    class_map: OptionalFile = None,
    threshold: Share = 0.6,
    absent_below: Share = 0.2,
    overlap: Share = 0.6,
    limit: OptionalNumber = None,
    workers: Number = 1,
    engine: Literal["local", "ray"] = "local",
    json: bool = False,
) -> None:
    """Let a detector draw the boxes of what holds still in clips, and say what is not in them.

    Goes on where it was stopped. A category has a box where it is static and no frame shows more
    than one of it.

    Args:
        clips: folder of clips, and of folders with clips.
        out: COCO file to write; its pictures are the clips, for `locvlm build`.
        frames: of each clip that are looked at, uniform in time.
        model: whose pixels tell what is static: a shipped model, a folder or a hub id. There,
            centers stay within 5 pixels of their mean.
        size: without --model: the model sees so many pixels a side, 224 if not given.
        detector: as in `pseudo detect`.
        classes: what to look for, with commas between; all that the detector knows if not given.
        class_map: YAML file with the detector's names and yours, such as "car: vehicle"; what it
            does not name is left out.
        threshold: score that a box has in one frame at least.
        absent_below: score that no box of an absent category has in any frame.
        overlap: IoU from which the less sure of two boxes of a category is left out.
        limit: clips, the first ones; all if not given.
        workers: processes that detect at the same time, each with a detector of its own.
        engine: ray: on the machines of a Ray cluster, or in Ray's processes here.
        json: print what came of it as one JSON object.
    """
    from locvlm.pseudo.video import VideoOptions
    from locvlm.pseudo.video import annotate_clips as run

    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1 clip, not {limit}")
    if model and size is not None:
        raise InputError(f"--model {model} has a size of its own; leave --size {size} out")
    settings = settings_of(detector, classes, class_map, threshold, absent_below, overlap)
    watching = VideoOptions(frames, model or "", 224 if size is None else size)
    found = run(clips, out, settings, watching, limit=limit, workers=workers, engine=engine)
    for reason in found.skipped.values():
        print(f"skipped: {reason}", file=sys.stderr)
    for name in found.cut:
        print(f"damaged, or its end is missing: {clips / name}", file=sys.stderr)
    if json:
        record = {"out": str(out), **msgspec.to_builtins(found)}
        print(msgspec.json.encode(record).decode())
        return
    print(
        f"{found.pictures} clips; static boxes: {found.boxes}, absences: {found.absences}, "
        f"skipped: {len(found.skipped)}"
    )
    if found.doubles:
        print(f"left out, boxes in the place of a surer one: {found.doubles}")
    print(f"without a box, what moves: {found.moving}")
    print(f"without a box, what is more than once in a frame: {found.several}")
    print(out)
