"""Pseudo-data as detection files: COCO's form, and what it can say beyond that.

An annotation may have a ``description`` of its object and the ``score`` of its detector. Where not
everything was looked for, a picture says what is absent, and what may have more instances than
boxes, in LVIS's fields. ``info.pseudo`` tells how the file was made. The readers `coco` and `lvis`
read all of it but the scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from locvlm.files import replaced
from locvlm.geometry import Box


class Annotation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A box."""

    id: int = 0  # `write` numbers them, from 1
    image_id: int | str
    category_id: int
    bbox: tuple[float, float, float, float]  # x, y, width, height; pixels
    area: float
    iscrowd: int
    description: str | None = None
    score: float | None = None


class Image(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A picture."""

    id: int | str
    file_name: str
    width: int  # pixels, as displayed
    height: int
    coco_url: str | None = None
    license: str | None = None
    neg_category_ids: Sequence[int] | None = None  # surely absent; None: all that have no box
    not_exhaustive_category_ids: Sequence[int] | None = None


def write(
    path: Path,
    categories: Sequence[str],
    images: Sequence[Image],
    annotations: Sequence[Annotation],
    made: Mapping[str, Any],
) -> None:
    """The file, there complete or not at all.

    Args:
        path: of the file.
        categories: names; their ids are their places, from 1.
        images: the pictures.
        annotations: the boxes.
        made: how, for ``info.pseudo``.

    Raises:
        InputError: it cannot be written.
    """
    names = [{"id": number, "name": name} for number, name in enumerate(categories, 1)]
    whole = {
        "info": {"description": "Made with LocVLM", "pseudo": dict(made)},
        "images": images,
        "annotations": annotations,
        "categories": names,
    }
    for number, item in enumerate(annotations, 1):
        item.id = number
    with replaced(path) as file:
        file.write(msgspec.json.encode(whole) + b"\n")


def xywh(box: Box) -> tuple[float, float, float, float]:
    """The box in COCO's way, to a hundredth of a pixel."""
    x, y = round(box.x1, 2), round(box.y1, 2)
    return x, y, round(box.x2 - x, 2), round(box.y2 - y, 2)
