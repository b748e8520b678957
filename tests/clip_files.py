"""Clips whose frames tell their numbers, written as files."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

MILLISECOND = Fraction(1, 1000)


def numbered(number: int) -> Image.Image:
    """Eight black or white columns: the digits of the number, up to 255, the lowest one left."""
    digits = np.unpackbits(np.uint8([[number]]), axis=1, bitorder="little") * 255
    return Image.fromarray(digits.repeat(48, 0).repeat(8, 1)).convert("RGB")


def number_of(frame: Image.Image) -> int:
    levels = np.asarray(frame.convert("L")).reshape(48, 8, 8).mean((0, 2))
    return int(np.packbits(levels > 127, bitorder="little")[0])


def write_clip(
    path: Path,
    codec: str = "libx264",
    *,
    count: int = 50,
    picture: Callable[[int], Image.Image] = numbered,
    times: Sequence[int] | None = None,
    pixels: str = "yuv420p",
    turned: int = 0,
    mirrored: bool = False,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
) -> Path:
    """A clip of `count` frames, 25 a second.

    Args:
        path: its name tells the container.
        codec: of FFmpeg.
        count: frames.
        picture: by the number of the frame, all of one size.
        times: of the frames, milliseconds; None: 40 apart.
        pixels: form of them in the file.
        turned: degrees counter-clockwise that a viewer turns it by.
        mirrored: then left and right.
        options: of the codec.
        container: options of the container.
    """
    with av.open(str(path), "w", options=container or {}) as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = picture(0).size
        stream.pix_fmt = pixels
        unit = MILLISECOND if times else Fraction(1, 25)
        stream.codec_context.time_base = unit
        if turned or mirrored:
            stream.set_display_rotation(turned, hflip=mirrored)
        for number in range(count):
            frame = av.VideoFrame.from_image(picture(number)).reformat(format=pixels)
            frame.pts, frame.time_base = times[number] if times else number, unit
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def write_gif(path: Path, lengths: Sequence[int] = (40,) * 50) -> Path:
    """A GIF with frames shown for so many milliseconds."""
    frames = [numbered(number) for number in range(len(lengths))]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=list(lengths))
    return path
