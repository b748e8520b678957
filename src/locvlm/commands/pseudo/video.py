"""`locvlm pseudo video`: boxes for clips without any."""

from __future__ import annotations

import sys
from typing import Annotated

from tyro.conf import arg

from locvlm.commands.arguments import (
    File,
    Folder,
    Number,
    OptionalFile,
    OptionalModel,
    OptionalNumber,
    check_limit,
)
from locvlm.commands.pseudo.detector_options import (
    DetectorOptions,
    print_lack,
    print_result,
)
from locvlm.commands.resuming import resumable
from locvlm.errors import InputError
from locvlm.shown.terminal import say


@resumable()
def video(
    *,
    clips: Folder,
    out: File,
    frames: Number = 8,
    model: OptionalModel = None,
    size: OptionalNumber = None,
    objects: OptionalFile = None,
    options: Annotated[DetectorOptions, arg(name="")],
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
        objects: file to write, too, for the task hal-act: what is present in each clip, also where
            it moves or is there several times, and what is absent from all frames.
    """
    from locvlm.pseudo.video import VideoOptions
    from locvlm.pseudo.video import annotate_clips as run

    check_limit(options.limit, "clip")
    if model and size is not None:
        raise InputError(f"--model {model} has a size of its own; leave --size {size} out")
    found = run(
        clips,
        out,
        options.detect_options(),
        VideoOptions(frames, model or "", 224 if size is None else size),
        objects=objects,
        limit=options.limit,
        workers=options.workers,
        engine=options.engine,
    )
    print_lack(found)
    for reason in found.skipped.values():
        say(f"skipped: {reason}", file=sys.stderr)
    for name in found.cut:
        say(f"damaged, or its end is missing: {clips / name}", file=sys.stderr)
    for name, notes in found.notes.items():
        say(f"{clips / name}: {'; '.join(notes)}", file=sys.stderr)
    if found.others:
        count, first = len(found.others), found.others[0]
        say(f"passed over, no ending of a clip: {count} files, such as {first}", file=sys.stderr)
    listed = found.objects
    written = (
        f"present: {listed.present}, absent: {listed.absent}, in neither list: {listed.unsure}; "
        f"clips with two of each, which hal-act asks about: {listed.asked}",
        str(objects),
    )
    print_result(
        found,
        clips,
        out,
        f"{found.pictures} clips; static boxes: {found.boxes}",
        f"without a box, what moves: {found.moving}",
        f"without a box, what is more than once in a frame: {found.several}",
        *(written if objects else ()),
        json=options.json,
    )
