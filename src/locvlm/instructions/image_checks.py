"""Looking at the pictures of a build before questions are asked about them.

A reader opens them only where it must; what is broken further down would be met in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.drops import note
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.instructions.clip_faces import check_copyable, is_moving
from locvlm.media.clips import check_clip
from locvlm.media.headers import read_header
from locvlm.media.images import open_image
from locvlm.media.opening import is_clip_only
from locvlm.parallel.engines import Engine, map_in_order
from locvlm.progress import track

# Is it a picture of this size; can all of it be decoded; and, of a clip, every frame
Check = Literal["headers", "pixels", "frames"]

AT_ONCE = 64  # pictures per batch
REASON = "pictures that cannot be read, or of another size"
_Batch = Sequence[tuple[str, Size]]  # file names, and (width, height) as annotated


def drop_unusable(
    data: AnnotationSet, folder: Path, check: Check, *, engine: Engine = "local", workers: int = 1
) -> tuple[AnnotationSet, dict[str, str]]:
    """The annotations without pictures that fail the check, and why each of those did.

    Args:
        data: the annotations.
        folder: of the pictures.
        check: how far they are read.
        engine: where.
        workers: how many at the same time.

    Raises:
        InputError: none is left.
    """
    images = ColumnarImages.of(data.images, data.categories)
    asked = [(image.file_name, (image.width, image.height)) for image in images.bare]
    batches = [asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE)]
    shown = track(batches, f"Checking {check}")
    found = map_in_order(partial(_reasons, folder, check), shown, engine=engine, workers=workers)
    reasons = [reason for batch in found for reason in batch]
    unusable = {name: why for (name, _), why in zip(asked, reasons, strict=True) if why}
    if not unusable:
        return data, {}
    if len(unusable) == len({name for name, _ in asked}):
        raise InputError(f"{next(iter(unusable.values()))}; nor can any of the other pictures")
    kept = images.keep(np.array([not why for why in reasons], np.bool_))
    drops = +data.drops
    note(drops, REASON, next(iter(unusable.values())))
    drops[REASON] += len(unusable) - 1
    return replace(data, images=kept, drops=drops), unusable


def _reasons(folder: Path, check: Check, batch: _Batch) -> list[str]:
    return [_reason(folder / name, size, check) for name, size in batch]


def _reason(path: Path, size: Size, check: Check) -> str:
    """Why a picture or clip cannot be used; empty where it can."""
    try:
        if is_clip_only(path):
            check_clip(path)
        elif check != "headers" or read_header(path).displayed != size:
            open_image(path, size)  # says what is wrong with its size, too
        if check == "frames" and is_moving(path):
            check_copyable(path)
    except InputError as error:
        return str(error)
    return ""
