"""Frames of a clip, uniform in time.

Not every frame is as long as the others, so the third of eight frames is the one that is shown at
5/16 of the time, whatever its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.animations import is_single, read_frames, read_starts
from locvlm.media.containers import open_container, read_packets
from locvlm.media.decoding import DecodedFrames, read_shown
from locvlm.media.images import open_image
from locvlm.media.signatures import read_kind
from locvlm.media.timeline import middles, read_timeline
from locvlm.media.upright import upright_image

CUT = "is damaged or ends early; only what there is counts"
FRAMES = 8  # frames (arXiv 2404.07449)
CLIP_SUFFIXES = frozenset(
    {
        *(".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2p", ".m2t"),
        *(".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".ogm"),
        *(".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv"),
    }
)
ANIMATION_SUFFIXES = frozenset({".apng", ".png", ".webp"})  # of clips, and of stills


@dataclass(frozen=True, eq=False)
class Clip:
    """Some frames of a clip."""

    frames: tuple[Image.Image, ...]  # RGB, upright, all of one size
    times: tuple[float, ...]  # seconds from the beginning: from when on each one is shown
    cut: bool = False  # the file is damaged or ends early; frames are of what there is
    jumps: int = 0  # how often its clock starts again or jumps; its parts follow each other
    more: bool = False  # another clip follows in the file, which is not read
    stretch: Fraction = Fraction(1)  # a player shows its pixels so many times as wide as high

    @property
    def size(self) -> Size:
        """(width, height) in pixels, as displayed: those of all boxes in the clip."""
        return self.frames[0].size

    @property
    def remarks(self) -> tuple[str, ...]:
        """All that a person should know of it, in words, to be said behind its name."""
        return (*((CUT,) if self.cut else ()), *self.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else is odd about it, in words, to be said behind its name."""
        found = []
        if self.jumps:
            found.append(
                f"its clock starts again or jumps ({self.jumps} times); its parts are taken one "
                "after the other"
            )
        if self.more:
            found.append("another clip follows in the file, which is not read; split the file")
        if self.stretch != 1:
            found.append(say_stretch(self.size, self.stretch))
        return tuple(found)


def say_stretch(size: Size, stretch: Fraction) -> str:
    """That the pixels of a clip of this size, (width, height), are not square."""
    shown = round(size[0] * stretch)
    return (
        f"its pixels are not square: a player shows it {float(stretch):.4g} times as wide, "
        f"{shown}x{size[1]}; boxes are in its own pixels, {size[0]}x{size[1]}"
    )


def is_clip(path: str | Path) -> bool:
    """Whether a file's name ends as those of clips do."""
    return Path(path).suffix.lower() in CLIP_SUFFIXES


def is_clip_file(path: Path) -> bool:
    """Whether a file is a clip: by its name, by its content where that has no ending.

    Animated WebP and PNG are. A link to what is not there goes by its name.
    """
    if is_clip(path) or read_kind(path) == "animation":
        return True
    if path.suffix or read_kind(path) == "still":
        return False
    try:
        with open_container(path):
            return True
    except InputError:
        return False


def open_clip(path: str | Path, count: int = FRAMES) -> Clip:
    """The frames shown in the middles of `count` equal parts of the time that there are frames for.

    Always `count` of them: of a clip with fewer, some are there several times. Of a long clip no
    more is decoded than is needed, and no more frames are kept than are wanted. What a file is, its
    content says: a still picture is a clip of one frame, whatever its name.

    Raises:
        InputError: the file is missing, no clip, has no frame that can be decoded, frames of
            several sizes, or more pixels than a picture may have; or PyAV is missing.
    """
    if count < 1:
        raise InputError(f"at least 1 frame of a clip, not {count}")
    path = Path(path)
    kind = read_kind(path)
    if kind == "still":
        return Clip((open_image(path),) * count, (0.0,) * count)
    if kind == "animation":
        return _open_animation(path, count)
    timeline = read_timeline(path)
    shown, damaged = read_shown(path, timeline, timeline.middles(count))
    if not shown:
        raise InputError(f"{path}: no frame of it can be decoded; give a whole clip")
    sizes = sorted({frame.size for frame, _ in shown})
    if len(sizes) > 1:
        raise InputError(f"{path}: has frames of several sizes, {sizes}; convert it to one size")
    return Clip(
        frames=tuple(frame for frame, _ in shown),
        times=tuple(timeline.seconds(time) for _, time in shown),
        cut=timeline.cut or damaged,
        jumps=timeline.jumps,
        more=timeline.more,
        stretch=_stretch_of(timeline.pixel_aspect, turned=sizes[0] == timeline.size[::-1]),
    )


def count_frames(path: Path) -> int:
    """How many frames a picture or clip has, by its content.

    Raises:
        InputError: it is missing, no clip, or PyAV is.
    """
    kind = read_kind(path)
    if kind == "still":
        return 1
    if kind == "animation":
        return len(read_starts(path)[0]) - 1
    if kind == "gif" and find_spec("av") is None and is_single(path):
        return 1
    return read_timeline(path).count


def check_clip(path: str | Path) -> None:
    """Decode the first frame that can be. Raises InputError as `open_first_frame`."""
    open_first_frame(path)


def open_first_frame(path: str | Path) -> Image.Image:
    """The first frame of a clip that can be decoded, as `open_clip` shows it.

    What is broken further on is not told. Raises InputError where there is no such frame.
    """
    path = Path(path)
    if read_kind(path) in ("still", "animation"):
        return open_image(path)
    with open_container(path) as (container, stream):
        for _, frame in DecodedFrames(read_packets(container, stream)):
            return upright_image(frame)
    raise InputError(f"{path}: no frame of it can be decoded; give a whole clip")


def _open_animation(path: Path, count: int) -> Clip:
    starts, cut = read_starts(path)
    shown = read_frames(path, starts, middles(0, starts[-1], count))
    return Clip(
        frames=tuple(frame for frame, _ in shown),
        times=tuple(start / 1000 for _, start in shown),
        cut=cut,
    )


def _stretch_of(aspect: Fraction, *, turned: bool) -> Fraction:
    """How many times as wide as high pixels are shown, once the frame stands upright."""
    return 1 / aspect if turned else aspect
