"""Any picture file or PIL image as 8-bit RGB, upright, as a viewer displays it.

Pillow's own ``convert("RGB")`` shows what lies hidden under transparent pixels and turns 16-bit
pictures white; a phone's photo is stored lying, with a note (EXIF) how to turn it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.headers import read_header, readable

Picture: TypeAlias = str | Path | Image.Image


def open_picture(picture: Picture) -> Image.Image:
    """The picture as displayed: turned as its EXIF orientation says, transparency on white, RGB.

    An image that is given as a PIL image is treated alike, EXIF included. All boxes of LocVLM are
    in the pixels of what this returns.

    Raises:
        InputError: the file is missing, no picture, damaged, or of a kind that is not displayable.
    """
    if isinstance(picture, Image.Image):
        with readable("the given image"):
            return _displayed(picture, "the given image")
    with readable(str(picture)), Image.open(picture) as file:
        return _displayed(file, str(picture))


def open_annotated(path: Path, size: Size) -> Image.Image:
    """As `open_picture`, of a picture that was annotated as `size` (width, height).

    Raises:
        InputError: also where it has another size, for boxes would be in the wrong pixels.
    """
    picture = open_picture(path)
    if picture.size != size:
        advice = "; use the pictures that were annotated"
        if read_header(path).stored == size:  # annotated by a tool that does not look at the note
            advice = ", as it is stored; remove its EXIF orientation, or annotate it as displayed"
        raise InputError(
            f"{path}: is {picture.width}x{picture.height} pixels as displayed, annotated as "
            f"{size[0]}x{size[1]}{advice}"
        )
    return picture


def _displayed(image: Image.Image, name: str) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return _from_16_bit(upright, name).convert("RGB")
    if upright.mode in ("F", "LAB"):
        raise InputError(f"{name}: mode {upright.mode} has no agreed display; convert it to RGB")
    if upright.has_transparency_data:
        white = Image.new("RGBA", upright.size, "white")
        return Image.alpha_composite(white, upright.convert("RGBA")).convert("RGB")
    return upright.convert("RGB")


def _from_16_bit(image: Image.Image, name: str) -> Image.Image:
    """Grayscale 0 … 65535 as 0 … 255."""
    values = np.asarray(image)
    if values.size and not 0 <= values.min() <= values.max() <= 65535:
        raise InputError(f"{name}: values beyond 16 bits; convert it to 8 or 16 bits")
    return Image.fromarray((values // 257).astype(np.uint8))
