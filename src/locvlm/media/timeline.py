"""When each frame of a clip is shown, read without decoding any."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.clock import Clock
from locvlm.media.containers import open_container, read_packets
from locvlm.media.wholeness import has_another_behind, is_whole_flv, is_whole_gif, is_whole_ts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

BROADCAST = ("mpeg",)  # MPEG-TS and MPEG-PS, in whose clocks jumps are allowed
_STATED = ("asf", "matroska", "mov")  # containers that say at their beginning how long they are
_TOLERANCE = Fraction(1, 4)  # seconds that they may be wrong by


@dataclass(frozen=True, order=True)
class Key:
    """A frame from which on a file can be decoded."""

    time: int  # when it is shown, in units
    decoded: int  # the time of its decoding, which is not after that


@dataclass(frozen=True)
class Timeline:
    """The frames that are in a file, whole."""

    start: int  # when the first one is shown, in units
    end: int  # when the last one goes
    keys: tuple[Key, ...]  # frames that are decoded without others, ascending
    count: int  # frames
    order: tuple[int, ...]  # times of the frames where only their order is known, else ()
    unit: Fraction  # seconds
    cut: bool  # the file is damaged, or ends before its clip does
    jumps: int  # of the clock, between which the parts are taken one after the other
    more: bool  # another file follows in this one, which is not read
    size: Size  # (width, height) as stored, before a frame is turned upright
    pixel_aspect: Fraction  # width of a pixel as stored, by its height

    def middles(self, count: int) -> list[int]:
        """Of `count` equal parts of the time, in units."""
        return middles(self.start, self.end, count)

    def seconds(self, time: int) -> float:
        """From the beginning."""
        return float((time - self.start) * self.unit)


def middles(start: int, end: int, count: int) -> list[int]:
    """Of `count` equal parts of a time."""
    return [start + (2 * part + 1) * (end - start) // (2 * count) for part in range(count)]


def read_timeline(path: Path) -> Timeline:
    """What the packets of a file say: its head may promise more than there is.

    That the tail of a file is missing can be told of an MP4, of a Matroska, WebM or WMV file that
    says how long it is, of a GIF, FLV or MPEG-TS, and where a file ends within a frame.

    Raises:
        InputError: no clip (see `opened`), or one without a frame.
    """
    lengths: dict[int, int] = {}  # when a frame is shown -> for how long
    keys: list[Key] = []
    cut, reached = False, Fraction(0)  # seconds
    with open_container(path) as (container, stream):
        clock = clock_of(container, stream)
        for packet in read_packets(container):
            if packet is None or packet.is_corrupt:
                cut = True
                continue
            own = packet.stream_index == stream.index
            if own:
                clock.correct(packet)
            time = packet.dts if packet.pts is None else packet.pts
            if time is None:
                continue
            length = packet.duration or 0
            reached = max(reached, (time + length) * packet.time_base)
            if own and not packet.is_discard:
                lengths[time] = length
                if packet.is_keyframe:
                    keys.append(Key(time, time if packet.dts is None else packet.dts))
        if not lengths:
            raise InputError(f"{path}: has no whole frame; give a whole clip")
        start, last = min(lengths), max(lengths)
        usual = max(1, (last - start) // max(1, len(lengths) - 1))
        return Timeline(
            start=start,
            end=last + (lengths[last] or usual),
            keys=tuple(sorted(keys)),
            count=len(lengths),
            order=tuple(sorted(lengths)) if _guesses_times(container, stream) else (),
            unit=Fraction(stream.time_base or 1),
            cut=cut or _ends_early(path, container, reached),
            jumps=clock.jumps,
            more=has_another_behind(path, container.format.name),
            size=(stream.width, stream.height),
            pixel_aspect=Fraction(stream.sample_aspect_ratio or 1),
        )


def _guesses_times(container: InputContainer, stream: VideoStream) -> bool:
    """Whether FFmpeg guesses when frames are shown: AVI says when they are decoded, no more."""
    context = stream.codec_context
    reorders = context.name in ("h264", "hevc") and bool(context.has_b_frames)
    return container.format.name == "avi" and reorders


def clock_of(container: InputContainer, stream: VideoStream) -> Clock:
    """A new one, for the packets of a clip from its beginning."""
    broadcast = container.format.name.startswith(BROADCAST)
    return Clock(Fraction(stream.time_base or 1), broadcast=broadcast)


def _ends_early(path: Path, container: InputContainer, reached: Fraction) -> bool:
    """Whether the file says that it goes on after `reached` seconds, or is not whole."""
    if container.format.name == "gif":
        return not is_whole_gif(path)
    if container.format.name == "flv":
        return not is_whole_flv(path)
    if container.format.name == "mpegts":
        return not is_whole_ts(path)
    if not container.format.name.startswith(_STATED):
        return False
    stated = Fraction((container.start_time or 0) + (container.duration or 0), 1_000_000)
    return stated > reached + _TOLERANCE
