"""Frames of animated WebP and PNG files, which FFmpeg cannot tell or takes for stills: by Pillow.

The frames of a GIF are left to FFmpeg (`clips`), where there is PyAV.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image

from locvlm.errors import InputError
from locvlm.media.containers import LARGEST
from locvlm.media.image_decoder import open_image_file
from locvlm.media.images import open_image

KINDS = ("WEBP", "PNG", "GIF")  # as Pillow names them
SHORTEST = 100.0  # milliseconds: what browsers show a frame for that says 0

Frames = list[tuple[Image.Image, int]]  # RGB, and the millisecond from when on it is shown


def is_single(path: Path) -> bool:
    """Whether a GIF has one frame and no other."""
    try:
        with open_image_file(path, ("GIF",)) as file:
            try:
                file.seek(1)
            except EOFError:
                return True
    except InputError:  # broken, which is told by whoever decodes it
        return False
    return False


def read_starts(path: Path) -> tuple[list[int], bool]:
    """When each frame begins and the last one ends, in milliseconds; and whether some are missing.

    Raises InputError where there is no frame, or where one has too many pixels.
    """
    starts, time, cut = [0], 0.0, False
    with open_image_file(path, KINDS) as file:
        if file.width * file.height > LARGEST:
            raise InputError(
                f"{path}: its frames are {file.width} × {file.height} pixels, {LARGEST} at most "
                "can be read; give a smaller copy"
            )
        for number in range(getattr(file, "n_frames", 1)):
            try:
                file.seek(number)
                file.load()
            except Exception:  # on a broken file Pillow raises whatever it stumbles on
                cut = True
                break
            time += float(file.info.get("duration") or SHORTEST)
            starts.append(round(time))
    if len(starts) == 1:
        raise InputError(f"{path}: no frame of it can be decoded; give a whole file")
    return starts, cut


def read_frames(path: Path, starts: Sequence[int], times: Sequence[int]) -> Frames:
    """What is shown at each of the times, ascending milliseconds within those of `read_starts`."""
    shown: Frames = []
    with open_image_file(path, KINDS) as file:
        for number, (start, end) in enumerate(pairwise(starts)):
            due = sum(start <= time < end for time in times)
            if due:
                file.seek(number)
                file.load()
                shown += [(open_image(file.copy()), start)] * due
    return shown
