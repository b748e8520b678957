"""Clips as files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image

from locvlm.io.atomic import atomic_write

RATE = 8  # frames a second
# x264 gives other pixels every time, even with one thread
CODEC = "mpeg4"
OPTIONS = {"qmin": "2", "qmax": "3", "threads": "1", "flags": "bitexact"}


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
