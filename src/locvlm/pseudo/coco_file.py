"""Pseudo-data as detection files: COCO's form, and what it can say beyond that.

An annotation may have a ``description`` of its object, or several, and the ``score`` of its
detector. Where not everything was looked for, a picture says what is absent, and what may have more
instances than boxes, in LVIS's fields. ``info.pseudo`` tells how the file was made. The readers
`coco` and `lvis` read all of it but the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.io.atomic import atomic_write
from locvlm.io.outputs import Reads, check_output_file
from locvlm.io.reading import decode_json


class CocoAnnotation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A box."""

    id: int = 0  # `write` numbers them, from 1
    image_id: int | str
    category_id: int
    bbox: tuple[float, float, float, float]  # x, y, width, height; pixels
    area: float
    iscrowd: int
    description: list[str] = []
    score: float | None = None


class CocoImage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A picture."""

    id: int | str
    file_name: str
    width: int  # pixels, as displayed
    height: int
    coco_url: str | None = None
    license: str | None = None
    # Surely absent; None, in all pictures alike: everything was looked for
    neg_category_ids: Sequence[int] | None = None
    not_exhaustive_category_ids: Sequence[int] = ()


class _Info(msgspec.Struct):
    info: Any = None


def check_output(path: Path, reads: Reads) -> None:
    """Raise InputError unless `path` is new, or holds pseudo-data, which are replaced.

    Args:
        path: of the file that is to be written.
        reads: what is read.
    """
    check_output_file(path, reads, is_former=_holds_pseudo_data, form="pseudo-data")


def _holds_pseudo_data(path: Path) -> bool:
    try:
        found = decode_json(path, _Info, "a COCO file").info
    except InputError:
        return False
    return isinstance(found, dict) and "pseudo" in found


def write_coco(
    path: Path,
    categories: Sequence[str],
    images: Sequence[CocoImage],
    annotations: Sequence[CocoAnnotation],
    provenance: Mapping[str, Any],
) -> None:
    """The file, there complete or not at all.

    Args:
        path: of the file.
        categories: names; their ids are their places, from 1.
        images: the pictures.
        annotations: the boxes.
        provenance: how they were made, for ``info.pseudo``.

    Raises:
        InputError: it cannot be written.
    """
    for number, item in enumerate(annotations, 1):
        item.id = number
    whole = {
        "info": {"description": "Made with LocVLM", "pseudo": dict(provenance)},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, 1)],
    }
    with atomic_write(path) as file:
        file.write(msgspec.json.encode(whole) + b"\n")


def to_xywh(box: Box) -> tuple[float, float, float, float]:
    """The box in COCO's way."""
    return box.x1, box.y1, box.width, box.height
