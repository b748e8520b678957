"""When each frame of a clip is shown, read without decoding any."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.errors import InputError
from locvlm.media.containers import open_container

if TYPE_CHECKING:
    from av.container import InputContainer

_STATED = ("matroska", "mov")  # containers that say at their beginning how long they are
_TOLERANCE = Fraction(1, 4)  # seconds that they may be wrong by
_TRAILER = b";"  # the last byte of a GIF


@dataclass(frozen=True)
class Timeline:
    """The frames that are in a file, whole."""

    start: int  # when the first one is shown, in units
    end: int  # when the last one goes
    keys: tuple[int, ...]  # when those are shown that are decoded without others, ascending
    unit: Fraction  # seconds
    cut: bool  # the file ends before its clip does

    def middles(self, count: int) -> list[int]:
        """Of `count` equal parts of the time, in units."""
        length = self.end - self.start
        return [self.start + (2 * part + 1) * length // (2 * count) for part in range(count)]

    def seconds(self, time: int) -> float:
        """From the beginning."""
        return float((time - self.start) * self.unit)


def read_timeline(path: Path) -> Timeline:
    """What the packets of a file say: its head may promise more than there is.

    That the tail of a file is missing can be told of an MP4, of a Matroska file (WebM) that says
    how long it is, of a GIF, and where a file ends within a frame.

    Raises:
        InputError: no clip (see `opened`), or one without a frame.
    """
    lengths: dict[int, int] = {}  # when a frame is shown -> for how long
    keys = []
    cut, reached = False, Fraction(0)  # seconds
    with open_container(path) as (container, stream):
        import av  # `opened` says where it is missing

        try:
            for packet in container.demux():
                time = packet.dts if packet.pts is None else packet.pts
                cut |= packet.is_corrupt
                if time is None or packet.is_corrupt:
                    continue
                length = packet.duration or 0
                reached = max(reached, (time + length) * packet.time_base)
                if packet.stream_index == stream.index and not packet.is_discard:
                    lengths[time] = length
                    keys += [time] * packet.is_keyframe
        except av.FFmpegError:
            cut = True
        if not lengths:
            raise InputError(f"{path}: has no whole frame; give a whole clip")
        start, last = min(lengths), max(lengths)
        usual = max(1, (last - start) // max(1, len(lengths) - 1))
        return Timeline(
            start=start,
            end=last + (lengths[last] or usual),
            keys=tuple(sorted(keys)),
            unit=Fraction(stream.time_base or 1),
            cut=cut or _ends_early(path, container, reached),
        )


def _ends_early(path: Path, container: InputContainer, reached: Fraction) -> bool:
    """Whether the file says that it goes on after `reached` seconds, or lacks its last byte."""
    if container.format.name == "gif":
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != _TRAILER
    if not container.format.name.startswith(_STATED):
        return False
    stated = Fraction((container.start_time or 0) + (container.duration or 0), 1_000_000)
    return stated > reached + _TOLERANCE
