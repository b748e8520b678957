"""Any picture file or PIL image as 8-bit RGB, upright, as a viewer displays it.

Pillow's own ``convert("RGB")`` shows what lies hidden under transparent pixels and turns 16-bit
pictures white; a phone's photo is stored lying, with a note (EXIF) how to turn it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import ExifTags, Image, ImageOps

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.headers import Header, read_header
from locvlm.media.image_decoder import as_input_error, open_image_file
from locvlm.media.wholeness import has_image_end

SENSOR_BITS = (8, 10, 12, 14, 16)

ImageInput: TypeAlias = str | Path | Image.Image


def open_image(image: ImageInput, annotated_size: Size | None = None) -> Image.Image:
    """The image as displayed: turned as its EXIF orientation says, transparency on white, RGB.

    A PIL image is treated like a file, EXIF included; one that is as displayed already is returned
    as it is, without a copy. All boxes of LocVLM are in the pixels of what this returns.

    Args:
        image: a file, or a PIL image.
        annotated_size: (width, height) in the annotations of the image; None: not annotated.

    Raises:
        InputError: the file is missing, no picture, too large, damaged, or not displayable;
            or it has another size than annotated, for boxes would be in the wrong pixels.
    """
    if isinstance(image, Image.Image):
        name = "the given image"
        with as_input_error(name):
            opened = _to_displayed(image, name)
    else:
        name = str(image)
        with open_image_file(image) as file:
            opened = _to_displayed(file, name)
            opened = opened.copy() if opened is file else opened  # not bound to the file
    if annotated_size is not None and opened.size != annotated_size:
        raise InputError(_wrong_size(image, name, opened.size, annotated_size))
    return opened


def read_whole_header(path: Path) -> Header:
    """The header of an image file that is not cut short.

    Pixels are decoded only where the file does not end as its kind does: hardly slower than the
    header alone, but what is wrong in the middle of a file is not seen.

    Raises:
        InputError: the file is missing, no picture, or cut short.
    """
    header = read_header(path)
    if not has_image_end(path):
        open_image(path)
    return header


def _wrong_size(image: ImageInput, name: str, size: Size, annotated: Size) -> str:
    advice = "; use the pictures that were annotated"
    # Some annotation tools do not look at the EXIF orientation
    if not isinstance(image, Image.Image) and read_header(Path(image)).stored == annotated:
        advice = ", as it is stored; remove its EXIF orientation, or annotate it as displayed"
    return (
        f"{name}: is {size[0]}x{size[1]} pixels as displayed, annotated as "
        f"{annotated[0]}x{annotated[1]}{advice}"
    )


def _to_displayed(image: Image.Image, name: str) -> Image.Image:
    image.load()  # before its EXIF is read: a PNG may have it behind the pixels
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        return _from_16_bit(image, name).convert("RGB")
    if image.mode in ("F", "LAB"):
        raise InputError(f"{name}: mode {image.mode} has no agreed display; convert it to RGB")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bit(image: Image.Image, name: str) -> Image.Image:
    """Grayscale 0 … 65535 as 0 … 255; of a sensor of fewer bits, its range.

    The range is the smallest of 8, 10, 12, 14 and 16 bits that holds all values: 12 bits in a file
    of 16 would else be nearly black.
    """
    values = np.asarray(image)
    if values.size and not 0 <= values.min() <= values.max() <= 65535:
        raise InputError(f"{name}: values beyond 16 bits; convert it to 8 or 16 bits")
    greatest = next(2**bits - 1 for bits in SENSOR_BITS if values.max(initial=0) < 2**bits)
    return Image.fromarray((values.astype(np.float32) * 255 / greatest).astype(np.uint8))
