"""What is shown at given times of a clip: sought where that can be relied on, else all decoded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from locvlm.media.clock import Clock
from locvlm.media.containers import open_container, read_packets
from locvlm.media.timeline import Key, Timeline, clock_of
from locvlm.media.upright import upright_image

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_INDEXED = ("avi", "matroska", "mov")  # a seek leads to the key frame itself
_TIMED = ("asf", "flv", "mpeg")  # times are in the file itself; a seek leads somewhere near
_MARGIN = 1  # seconds before a key frame that a seek in the others aims at
_PATIENCE = 2000  # packets until the key frame that was aimed at

Shown = list[tuple[Image.Image, int]]  # with the time from when on it is shown


def read_shown(path: Path, timeline: Timeline, times: Sequence[int]) -> tuple[Shown, bool]:
    """What is shown at each of the times, ascending, and whether something cannot be decoded.

    The last frame that is not after the time, else the first; [] where there is none.
    """
    if timeline.jumps == 0:  # else a time is at two places
        sought = _sought(path, timeline.keys, times)
        if sought is not None:
            return sought, False
    return _from_the_beginning(path, times)


class DecodedFrames:
    """The whole frames from where a file is read on, each behind the time when it is shown.

    Attributes:
        damaged: something could not be decoded.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: Clock | None = None,
        first: Key | None = None,
    ):
        """With times corrected by the clock, from the first key frame on where one is given."""
        self.damaged = False
        self.container, self._stream = container, stream
        self._clock, self._first = clock, first

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        for packet in self._packets():
            if packet is None:
                self.damaged = True
                continue
            if self._clock is not None:
                self._clock.correct(packet)
            try:
                frames = packet.decode()
            except Exception:  # FFmpeg's error, or what PyAV stumbles on
                self.damaged = True
                continue
            for frame in frames:
                if frame.is_corrupt or frame.pts is None:
                    self.damaged = True
                else:
                    yield frame.pts, frame

    def _packets(self) -> Iterator[Packet | None]:
        packets = read_packets(self.container, self._stream)
        if self._first is None:
            yield from packets
            return
        for _ in range(_PATIENCE):  # none is found where the seek led behind it
            packet = next(packets, None)
            if packet is None:
                return
            if packet.is_keyframe and packet.pts == self._first.time:
                yield packet
                yield from packets
                return


def _sought(path: Path, keys: Sequence[Key], times: Sequence[int]) -> Shown | None:
    """What is shown at each of the times, decoded from the key frame before it.

    None where that cannot be relied on: there are no key frames between, a seek does not lead to
    its key frame, or something cannot be decoded.
    """
    starts = [key.time for key in keys]
    parts = groupby(times, key=lambda time: bisect_right(starts, time))
    groups = [(keys[place - 1], list(group)) for place, group in parts if place]
    if len(groups) < 2:
        return None
    shown: Shown = []
    with open_container(path) as (container, stream):
        margin = _margin(container, stream)
        if margin is None:
            return None
        for key, group in groups:
            try:
                near = max(key.decoded - margin, keys[0].decoded)
                container.seek(near if margin else key.time, stream=stream)
            except Exception:  # what PyAV stumbles on: then it is read from the beginning
                return None
            frames = DecodedFrames(container, stream, first=key if margin else None)
            rows = _shown(iter(frames), group)
            if frames.damaged or not rows or rows[0][1] > group[0]:
                return None
            shown += rows
    return shown if len(shown) == len(times) else None


def _from_the_beginning(path: Path, times: Sequence[int]) -> tuple[Shown, bool]:
    with open_container(path) as (container, stream):
        frames = DecodedFrames(container, stream, clock_of(container, stream))
        return _shown(iter(frames), times), frames.damaged


def _margin(container: InputContainer, stream: VideoStream) -> int | None:
    """How long before a key frame a seek is to lead, in units; None: FFmpeg would guess times."""
    if container.format.name.startswith(_INDEXED):
        return 0
    if container.format.name.startswith(_TIMED):
        return int(_MARGIN / (stream.time_base or 1))
    return None


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
