"""A few images of a data set by content, so that another folder of images can be checked.

A data set names its images by their paths in a folder, and another folder may hold others under the
same names.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.io.digests import digest_bytes

COUNT = 16  # images that are looked at
FIRST = 2**20  # bytes of each: clips may be large


class ImageSample(msgspec.Struct, frozen=True):
    """The file of an image, or of a clip."""

    size: int  # bytes
    sha256: str  # of its first mebibyte


Samples = Mapping[str, ImageSample]  # by name in the folder of the images


def sample_images(folder: Path | None, names: Sequence[str], seed: int) -> dict[str, ImageSample]:
    """Some of the images `names` of a folder, drawn by `seed`; those that can be read."""
    if folder is None:
        return {}
    rows = random.Random(f"{seed}/images").sample(range(len(names)), min(COUNT, len(names)))
    found = {names[row]: _look(folder / names[row]) for row in sorted(rows)}
    return {name: sample for name, sample in found.items() if sample is not None}


def check_images(folder: Path, samples: Samples, data: Path) -> None:
    """Raise InputError where `folder` holds other images than the data set `data` is about.

    Some may be missing; who reads the images counts them.
    """
    found = {name: _look(folder / name) for name in samples}
    for name, sample in samples.items():
        if (there := found[name]) is not None and there != sample:
            what = (
                f"{there.size:,} bytes, and had {sample.size:,} when"
                if there.size != sample.size
                else "another content than when"
            )
            raise InputError(
                f"{folder}: holds other images than those of {data}: {name} has {what} it was "
                "built; give the folder of the same images, or build the data set again"
            )
    if samples and not any(found.values()):
        raise InputError(
            f"{folder}: holds none of the images of {data}, such as {next(iter(samples))}; give "
            "the folder that they lie in under these names"
        )


def _look(path: Path) -> ImageSample | None:
    """None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return ImageSample(path.stat().st_size, digest_bytes(file.read(FIRST)))
    except (OSError, ValueError):  # as a name with a zero byte
        return None
