"""`locvlm pseudo animate`: clips out of photos."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Literal

from locvlm.annotations import detect_format
from locvlm.commands.arguments import (
    Boxes,
    File,
    Folder,
    Number,
    OptionalNumber,
    Reader,
    check_limit,
)
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.reading import print_left_out
from locvlm.commands.resuming import resumable
from locvlm.shown.terminal import say


@resumable()
def animate(
    *,
    annotations: File,
    images: Folder,
    out: Folder,
    from_: Reader = None,
    boxes: Boxes = None,
    limit: OptionalNumber = None,
    side: Number = 320,
    seen: Number = 224,
    seed: Number = 0,
    workers: Number = 1,
    engine: Literal["local", "ray"] = "local",
) -> None:
    """Make clips of annotated photos: the camera moves, or something does; boxes are known.

    Goes on where it was stopped. For training a model of clips where none have boxes.

    Args:
        annotations: file or folder of a detection data set.
        images: folder of its photos.
        out: folder to write: instances.json, for `locvlm build`, and the folder clips.
        boxes: how the file writes boxes, where it is not what its form says (see `locvlm build`).
        limit: photos, the first ones; all if not given.
        side: pixels of the clips' longer side, at most.
        seen: pixels a side of what the model sees: objects whose center stays within 5 of these
            hold still.
        seed: of the moves.
        workers: processes that make clips at the same time.
        engine: ray: on the machines of a Ray cluster, which must share --out, or in Ray's processes
            here.
    """
    from locvlm import annotations as readers
    from locvlm.pseudo.animate import AnimateOptions
    from locvlm.pseudo.animate import animate as run

    check_limit(limit, "photo")
    options = {} if boxes is None else {"boxes": boxes}
    reader = from_ or detect_format(annotations)[0]
    data = readers.read(reader, annotations, images=images, **options)
    data = replace(data, images=data.images[:limit])
    summary = run(
        data, images, out, AnimateOptions(side, seen, seed), engine=engine, workers=workers
    )
    for reason in summary.skipped.values():
        say(f"skipped: {reason}", file=sys.stderr)
    print_left_out(data)
    moves = ", ".join(f"{move} {count}" for move, count in sorted(summary.moves.items()))
    say(f"{summary.clips} clips ({moves}); boxes of what holds still: {summary.boxes}")
    made = out / "instances.json"
    say(made)
    media = ["--images", out / "clips"]
    print_next(format_command("build", "--annotations", made, *media, "--out", f"data/{out.name}"))
