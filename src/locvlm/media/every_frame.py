"""All frames of a clip, each with the time for which it is shown: to copy it, or to look at all."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.animations import KINDS, read_starts
from locvlm.media.decoding import decode_all
from locvlm.media.image_decoder import open_image_file
from locvlm.media.images import open_image
from locvlm.media.signatures import read_kind
from locvlm.media.timeline import Timeline, read_timeline
from locvlm.media.upright import upright_image

MILLISECOND = Fraction(1, 1000)  # seconds


class TimedFrame(NamedTuple):
    """One frame."""

    image: Image.Image  # RGB, upright
    start: int  # when it is shown, in the clip's units from its beginning
    length: int  # for how long


class EveryFrame:
    """The frames of a clip as `open_clip` sees them, in the order in which they are shown.

    No more than two of them are held. Iterate it once.

    Attributes:
        unit: of times, in seconds.
        pixel_aspect: width of a pixel as displayed, by its height.
        damaged: something is missing, or could not be decoded; known at the end.
        more: another clip follows in the file, which is not read.

    Raises:
        InputError: as `open_clip` (a GIF needs no PyAV); in the iteration where there is no frame,
            or where they have several sizes.
    """

    def __init__(self, path: Path):
        self.path = path
        self.unit, self.pixel_aspect = MILLISECOND, Fraction(1)
        self._timeline: Timeline | None = None
        self.more = False
        kind = read_kind(path)
        if kind == "animation" or (kind == "gif" and find_spec("av") is None):
            self._starts, self.damaged = read_starts(path)
        else:
            self._timeline = read_timeline(path)
            self.unit, self.damaged = self._timeline.unit, self._timeline.cut
            self.pixel_aspect, self.more = self._timeline.pixel_aspect, self._timeline.more

    def __iter__(self) -> Iterator[TimedFrame]:
        timeline, size = self._timeline, None
        frames = self._animated() if timeline is None else self._decoded(timeline)
        for frame in frames:
            if size not in (None, frame.image.size):
                raise _several_sizes(self.path, size, frame.image.size)
            size = frame.image.size
            yield frame
        if size is None:
            raise InputError(f"{self.path}: no frame of it can be decoded; give a whole clip")
        if timeline is not None and size == timeline.size[::-1] != timeline.size:
            self.pixel_aspect = 1 / self.pixel_aspect  # it was turned

    def _animated(self) -> Iterator[TimedFrame]:
        with open_image_file(self.path, KINDS) as file:
            for number, (start, end) in enumerate(pairwise(self._starts)):
                file.seek(number)
                file.load()
                yield TimedFrame(open_image(file.copy()), start, end - start)

    def _decoded(self, timeline: Timeline) -> Iterator[TimedFrame]:
        """Before the first frame that can be decoded, that one is shown."""
        held, start = None, timeline.start
        with decode_all(self.path, timeline.order) as (decoded, frames):
            for time, frame in decoded:
                if held is not None and time > start:
                    yield TimedFrame(held, start - timeline.start, time - start)
                    start = time
                held = upright_image(frame)
            self.damaged |= frames.damaged
        if held is not None:
            yield TimedFrame(held, start - timeline.start, max(1, timeline.end - start))


def check_every_frame(path: Path) -> None:
    """Decode all of a clip. Raises InputError as `EveryFrame`."""
    for _ in EveryFrame(path):
        pass


def _several_sizes(path: Path, *sizes: Size | None) -> InputError:
    return InputError(f"{path}: has frames of several sizes, {[*sizes]}; convert it to one size")
