"""Frames of a clip, uniform in time.

Not every frame is as long as the others, so the third of eight frames is the one that is shown at
5/16 of the time, whatever its number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.containers import open_container
from locvlm.media.timeline import read_timeline
from locvlm.media.upright import upright_image

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

FRAMES = 8  # frames (arXiv 2404.07449)
CLIP_SUFFIXES = frozenset(
    {
        *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".ogv", ".webm", ".wmv"),
    }
)

_INDEXED = ("avi", "matroska", "mov")  # after a seek in others, FFmpeg guesses times


@dataclass(frozen=True, eq=False)
class Clip:
    """Some frames of a clip."""

    frames: tuple[Image.Image, ...]  # RGB, upright, all of one size
    times: tuple[float, ...]  # seconds from the beginning: from when on each one is shown
    cut: bool = False  # the file is damaged or ends early; frames are of what there is

    @property
    def size(self) -> Size:
        """(width, height) in pixels, as displayed: those of all boxes in the clip."""
        return self.frames[0].size


def is_clip(path: str | Path) -> bool:
    """Whether a file's name ends as those of clips do."""
    return Path(path).suffix.lower() in CLIP_SUFFIXES


def open_clip(path: str | Path, count: int = FRAMES) -> Clip:
    """The frames shown in the middles of `count` equal parts of the time that there are frames for.

    Always `count` of them: of a clip with fewer, some are there several times. Of a long clip no
    more is decoded than is needed, and no more frames are kept than are wanted.

    Raises:
        InputError: the file is missing, no clip, has no frame that can be decoded, frames of
            several sizes, or more pixels than a picture may have; or PyAV is missing.
    """
    if count < 1:
        raise InputError(f"at least 1 frame of a clip, not {count}")
    path = Path(path)
    timeline = read_timeline(path)
    middles = timeline.middles(count)
    shown = _sought(path, timeline.keys, middles)
    damaged = False
    if shown is None:
        shown, damaged = _from_the_beginning(path, middles)
    if not shown:
        raise InputError(f"{path}: no frame of it can be decoded; give a whole clip")
    sizes = sorted({frame.size for frame, _ in shown})
    if len(sizes) > 1:
        raise InputError(f"{path}: has frames of several sizes, {sizes}; convert it to one size")
    return Clip(
        frames=tuple(frame for frame, _ in shown),
        times=tuple(timeline.seconds(time) for _, time in shown),
        cut=timeline.cut or damaged,
    )


def check_clip(path: str | Path) -> None:
    """Decode the first frame that can be, as `open_clip` would.

    What is broken further on is not told. Raises InputError where there is no such frame.
    """
    path = Path(path)
    with open_container(path) as (container, stream):
        for _, frame in _Decoded(container, stream):
            upright_image(frame)
            return
    raise InputError(f"{path}: no frame of it can be decoded; give a whole clip")


@dataclass
class _Decoded:
    """The whole frames from where a file is read on, each behind the time when it is shown."""

    container: InputContainer
    stream: VideoStream
    damaged: bool = False  # something could not be decoded

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        import av

        packets = self.container.demux(self.stream)
        while True:
            try:
                if (packet := next(packets, None)) is None:
                    return
                frames = packet.decode()
            except av.FFmpegError:
                self.damaged = True
                continue
            for frame in frames:
                if frame.is_corrupt or frame.pts is None:
                    self.damaged = True
                else:
                    yield frame.pts, frame


Shown = list[tuple[Image.Image, int]]  # with the time from when on it is shown


def _sought(path: Path, keys: Sequence[int], times: Sequence[int]) -> Shown | None:
    """What is shown at each of the times, decoded from the key frame before it.

    None where that cannot be relied on: there are no key frames between, the container has no
    index, a seek does not lead to its key frame, or something cannot be decoded.
    """
    parts = groupby(times, key=lambda time: bisect_right(keys, time))
    groups = {keys[place - 1]: list(group) for place, group in parts if place}
    if len(groups) < 2:
        return None
    shown: Shown = []
    with open_container(path) as (container, stream):
        if not container.format.name.startswith(_INDEXED):
            return None
        for key, group in groups.items():
            container.seek(key, stream=stream)
            decoded = _Decoded(container, stream)
            rows = _shown(iter(decoded), group)
            if decoded.damaged or not rows or rows[0][1] > group[0]:
                return None
            shown += rows
    return shown if len(shown) == len(times) else None


def _from_the_beginning(path: Path, times: Sequence[int]) -> tuple[Shown, bool]:
    """What is shown at each of the times, and whether something cannot be decoded."""
    with open_container(path) as (container, stream):
        decoded = _Decoded(container, stream)
        return _shown(iter(decoded), times), decoded.damaged


def _shown(frames: Iterator[tuple[int, VideoFrame]], times: Sequence[int]) -> Shown:
    """The last frame that is not after each of the times, else the first; [] if there is none.

    Args:
        frames: in the order in which they are displayed.
        times: ascending.
    """
    shown: Shown = []
    if (current := next(frames, None)) is None:
        return shown
    ahead = next(frames, None)
    for time in times:
        while ahead and ahead[0] <= time:
            current, ahead = ahead, next(frames, None)
        start, frame = current
        again = shown and shown[-1][1] == start
        shown.append(shown[-1] if again else (upright_image(frame), start))
    return shown
