"""Faces in clips: each frame is blurred, in a copy of the clip.

A detector misses a face now and then, and a face that shows for one frame shows all the same: what
is blurred in a frame is what was found in it, in the one before and in the one behind.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.media.animations import is_single
from locvlm.media.clip_writing import LONGEST, write_animation, write_timed_clip
from locvlm.media.clips import is_clip
from locvlm.media.every_frame import EveryFrame, TimedFrame, check_every_frame
from locvlm.media.signatures import read_kind

Find = Callable[[Image.Image], Sequence[Box]]
Blur = Callable[[Image.Image, Sequence[Box]], Image.Image]


@dataclass
class ClipCount:
    """What was done to a clip."""

    frames: int = 0
    with_faces: int = 0  # frames that a face was found in
    faces: int = 0  # over all frames
    cut: bool = False  # the original is damaged or ends early; the copy has what there is
    more: bool = False  # another clip follows in the original, which is not copied


def is_moving(path: Path) -> bool:
    """Whether a file is to be copied as a clip: by its content, by its name where that is open."""
    kind = read_kind(path)
    if kind == "gif":
        return not is_single(path)
    return kind == "animation" or (kind == "other" and is_clip(path))


def check_copyable(path: Path) -> None:
    """Raises InputError where a clip cannot be copied frame by frame."""
    first = next(iter(EveryFrame(path)))
    if max(first.image.size) > LONGEST:
        raise InputError(
            f"{path}: its frames are {first.image.width} × {first.image.height} pixels; faces can "
            f"be blurred in clips of {LONGEST} a side at most; give a smaller copy"
        )
    check_every_frame(path)


def copy_clip(source: Path, target: Path, find: Find, blur: Blur) -> ClipCount:
    """Copy a clip to `target`, faces blurred, whatever the ending of its name.

    Size, frames and their times stay; sound goes. A GIF, WebP or PNG becomes lossless WebP, another
    an MP4 of MPEG-4 Part 2. One without a face is copied as it is.

    Args:
        source: of the original.
        target: of the copy; there complete or not at all.
        find: the faces in an image.
        blur: an image with these boxes blurred.

    Raises:
        InputError: as `EveryFrame`, or the copy cannot be written.
    """
    clip, count = EveryFrame(source), ClipCount()
    frames = _blurred(clip, count, find, blur)
    part = target.with_name(target.name + ".blurred")
    if read_kind(source) in ("gif", "animation"):
        write_animation(part, frames, clip.unit)
    else:
        write_timed_clip(part, frames, clip.unit, clip.pixel_aspect)
    count.cut, count.more = clip.damaged, clip.more
    if not count.faces:
        shutil.copyfile(source, part)
    part.replace(target)
    return count


def _blurred(clip: EveryFrame, count: ClipCount, find: Find, blur: Blur) -> Iterator[TimedFrame]:
    """The frames, each one frame late: those behind tell what is blurred in it."""
    held: TimedFrame | None = None
    before: Sequence[Box] = ()
    faces: Sequence[Box] = ()
    for frame in clip:
        found = faces if held and _are_equal(held.image, frame.image) else find(frame.image)
        count.frames += 1
        count.with_faces += bool(found)
        count.faces += len(found)
        if held:
            yield held._replace(image=blur(held.image, [*before, *faces, *found]))
        held, before, faces = frame, faces, found
    if held:
        yield held._replace(image=blur(held.image, [*before, *faces]))


def _are_equal(one: Image.Image, other: Image.Image) -> bool:
    return one is other or one.tobytes() == other.tobytes()
