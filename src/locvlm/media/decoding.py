"""What is shown at given times of a clip: sought where that can be relied on.

Else all of it is read, and what is needed decoded; where that fails, all is decoded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, islice
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
    sought = None
    if timeline.order:
        return _from_the_beginning(path, times, timeline.order)
    if timeline.jumps == 0:  # else a time is at two places
        sought = _sought(path, timeline.keys, times)
    if sought is None:
        sought = _picked(path, timeline.keys, times)
    return _from_the_beginning(path, times) if sought is None else (sought, False)


class DecodedFrames:
    """The whole frames of some packets, each behind the time when it is shown.

    Attributes:
        damaged: something could not be decoded.
    """

    def __init__(self, packets: Iterable[Packet | None]):
        """`packets`: None stands for one that cannot be read."""
        self.damaged = False
        self._packets = packets

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        for packet in self._packets:
            if packet is None:
                self.damaged = True
                continue
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


def _sought(path: Path, keys: Sequence[Key], times: Sequence[int]) -> Shown | None:
    """What is shown at each of the times, decoded from the key frame before it.

    None where that cannot be relied on: there are no key frames between, a seek does not lead to
    its key frame, or something cannot be decoded.
    """
    groups = _by_key(keys, times)
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
            packets = read_packets(container, stream)
            if margin:  # none is found where the seek led behind it
                packets = _from_key(key, packets, _PATIENCE)
            frames = DecodedFrames(packets)
            rows = _shown(iter(frames), group)
            if frames.damaged or not rows or rows[0][1] > group[0]:
                return None
            shown += rows
    return shown if len(shown) == len(times) else None


def _picked(path: Path, keys: Sequence[Key], times: Sequence[int]) -> Shown | None:
    """As `_sought`, without seeking: what lies between is read, and not decoded."""
    groups = _by_key(keys, times)
    if len(groups) < 2:
        return None
    shown: Shown = []
    with open_container(path) as (container, stream):
        rest = _correct(read_packets(container, stream), clock_of(container, stream))
        ahead: list[
            Packet | None
        ] = []  # read already, from the first key frame behind the group on
        for key, group in groups:
            before, ahead = ahead, []
            packets = _from_key(key, chain(before, rest))
            frames = DecodedFrames(_keep_after(group[-1], packets, ahead))
            stream.codec_context.flush_buffers()
            rows = _shown(iter(frames), group)
            if frames.damaged or not rows or rows[0][1] > group[0]:
                return None
            shown += rows
    return shown if len(shown) == len(times) else None


def _from_the_beginning(
    path: Path, times: Sequence[int], order: Sequence[int] = ()
) -> tuple[Shown, bool]:
    """With the times of `order`, where there are some, in the place of the frames' own."""
    with decode_all(path, order) as (decoded, frames):
        return _shown(decoded, times), frames.damaged


@contextmanager
def decode_all(
    path: Path, order: Sequence[int] = ()
) -> Iterator[tuple[Iterator[tuple[int, VideoFrame]], DecodedFrames]]:
    """Every frame from the beginning on, behind the time when it is shown; and what decodes them.

    `order` has their times where a timeline knows no more than their order.
    """
    with open_container(path) as (container, stream):
        packets = _correct(read_packets(container, stream), clock_of(container, stream))
        frames = DecodedFrames(packets)
        decoded = iter(frames)
        if order:
            decoded = zip(order, (frame for _, frame in frames), strict=False)
        yield decoded, frames


def _by_key(keys: Sequence[Key], times: Sequence[int]) -> list[tuple[Key, list[int]]]:
    """The times, each behind the key frame before it; none of those before the first one."""
    starts = [key.time for key in keys]
    parts = groupby(times, key=lambda time: bisect_right(starts, time))
    return [(keys[place - 1], list(group)) for place, group in parts if place]


def _correct(packets: Iterable[Packet | None], clock: Clock) -> Iterator[Packet | None]:
    for packet in packets:
        if packet is not None:
            clock.correct(packet)
        yield packet


def _from_key(
    key: Key, packets: Iterator[Packet | None], most: int | None = None
) -> Iterator[Packet | None]:
    """The packets from the key frame on, which is among the first so many; else none."""
    for packet in islice(packets, most):
        if packet is not None and packet.is_keyframe and packet.pts == key.time:
            yield packet
            yield from packets
            return


def _keep_after(
    time: int, packets: Iterable[Packet | None], kept: list[Packet | None]
) -> Iterator[Packet | None]:
    """The packets; from the first key frame that is shown after the time on they are kept, too.

    A decoder reads some more than it has shown.
    """
    for packet in packets:
        if kept or (packet is not None and packet.is_keyframe and (packet.pts or 0) > time):
            kept.append(packet)
        yield packet


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
