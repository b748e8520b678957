"""Clips as files."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image

from locvlm.io.atomic import atomic_write
from locvlm.media.every_frame import TimedFrame

RATE = 8  # frames a second
# x264 gives other pixels every time, even with one thread
CODEC = "mpeg4"
OPTIONS = {"qmin": "2", "qmax": "3", "threads": "1", "flags": "bitexact"}
LONGEST = 8191  # pixels a side that the codec writes

_COUNTING = Fraction(1, 25)  # the encoder's clock, in which frames are but numbered


def write_clip(path: Path, frames: Iterable[Image.Image], rate: int = RATE) -> None:
    """An MP4 file (MPEG-4 Part 2), there complete or not at all.

    Args:
        path: of the file.
        frames: RGB, all of one size, whose sides are even.
        rate: frames a second.
    """
    import av

    with atomic_write(path) as file, av.open(file, "w", format="mp4") as container:
        stream: Any = None
        for image in frames:
            if stream is None:
                stream = container.add_stream(CODEC, rate=rate, options=OPTIONS)
                stream.width, stream.height, stream.pix_fmt = *image.size, "yuv420p"
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


def write_timed_clip(
    path: Path, frames: Iterable[TimedFrame], unit: Fraction, pixel_aspect: Fraction
) -> None:
    """As `write_clip`, with each frame shown when and for as long as it says; sides may be odd.

    Args:
        path: of the file, whatever its ending.
        frames: one at least, ascending in time, all of one size.
        unit: of their times, in seconds.
        pixel_aspect: width of a pixel by its height.
    """
    import av

    times: list[tuple[int, int]] = []
    with atomic_write(path) as file, av.open(file, "w", format="mp4") as container:
        stream: Any = None

        def mux(packets: Iterable[Any]) -> None:
            for packet in packets:  # in the order of the frames, for none is coded backwards
                start, length = times[packet.pts]
                packet.time_base, packet.duration = unit, length
                packet.pts = packet.dts = start
                container.mux(packet)

        for image, start, length in frames:
            if stream is None:
                stream = container.add_stream(CODEC, rate=1 / _COUNTING, options=OPTIONS)
                stream.width, stream.height, stream.pix_fmt = *image.size, "yuv420p"
                stream.time_base = Fraction(1, unit.denominator)
                stream.codec_context.sample_aspect_ratio = pixel_aspect
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = len(times), _COUNTING
            times.append((start, length))
            mux(stream.encode(frame))
        mux(stream.encode())


def write_animation(path: Path, frames: Iterable[TimedFrame], unit: Fraction) -> None:
    """A lossless animated WebP file, there complete or not at all; all frames are held meanwhile.

    Args:
        path: of the file, whatever its ending.
        frames: as for `write_timed_clip`; times become whole milliseconds.
        unit: of their times, in seconds.
    """
    images, ends = [], [0]
    for image, start, length in frames:
        images.append(image)
        ends.append(round((start + length) * unit * 1000))
    durations = [max(1, end - start) for start, end in pairwise(ends)]
    with atomic_write(path) as file:
        images[0].save(
            file,
            "WEBP",
            save_all=True,
            append_images=images[1:],
            duration=durations,
            lossless=True,
            quality=0,  # effort
            method=0,
        )
