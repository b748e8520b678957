"""`locvlm pseudo detect`: boxes for pictures without any."""

from __future__ import annotations

import sys
from typing import Annotated

from tyro.conf import arg

from locvlm.commands.arguments import File, Folder, check_limit
from locvlm.commands.pseudo.detector_options import (
    DetectorOptions,
    print_lack,
    print_result,
)
from locvlm.commands.resuming import resumable
from locvlm.shown.terminal import say


@resumable()
def detect(
    *,
    images: Folder,
    out: File,
    options: Annotated[DetectorOptions, arg(name="")],
) -> None:
    """Let a detector draw the boxes of pictures, and say what is not in them.

    Goes on where it was stopped.

    Args:
        images: folder of pictures, and of folders with pictures.
        out: COCO file to write, with a score per box and what is absent, for `locvlm build`.
    """
    from locvlm.pseudo.detect import detect as run

    check_limit(options.limit, "picture")
    found = run(
        images,
        out,
        options.detect_options(),
        limit=options.limit,
        workers=options.workers,
        engine=options.engine,
    )
    print_lack(found)
    for reason in found.skipped.values():
        say(f"skipped: {reason}", file=sys.stderr)
    counts = f"{found.pictures} pictures; boxes: {found.boxes}"
    print_result(found, images, out, counts, json=options.json)
