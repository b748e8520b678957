"""All splits of a data set, read beside the one that is asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import locvlm.annotations as readers
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.split_parts import UNREAD
from locvlm.annotations.splits import ALL
from locvlm.annotations.unboxed import UNBOXED
from locvlm.errors import InputError


def read_every_split(
    name: str, path: Path, *, images: Path | None = None, **options: Any
) -> AnnotationSet:
    """The annotations of one split as `annotations.read` gives them, with the images of all others.

    The others' images come behind; what was left out of them is in `AnnotationSet.split_drops`.
    All else, such as the categories, is what the one split says. Another split that cannot be read,
    as one that is listed and was never exported, is left out with a remark.

    Raises:
        InputError: as `annotations.read`.
    """
    data = readers.read(name, path, images=images, **options)
    chosen = data.options.get("split", ALL)
    if chosen == ALL or not readers.get(name).splits_images:
        return data
    parts, splits = [_columns(data)], [chosen]
    drops: dict[str, Counter[str]] = {}
    remarks: list[str] = []
    options.pop("captions", None)  # of the one split
    for split in data.splits:
        if split == chosen:
            continue
        try:
            found = readers.read(name, path, images=images, **{**options, "split": split})
        except InputError as error:
            remarks.append(f"split {split} cannot be read, and is left out: {error}")
            continue
        if not len(found.images):
            why = "; ".join(f"{reason}: {count:,}" for reason, count in found.drops.items())
            remarks.append(f"split {split} has no picture, and is left out: {why}")
            continue
        parts.append(_columns(found))
        splits.append(split)
        drops[split] = found.drops
        remarks += [
            f"split {split}: {text}"
            for text in found.remarks
            if UNBOXED not in text and not text.startswith(UNREAD)
        ]
    return replace(
        data,
        images=ColumnarImages.join(parts) if len(parts) > 1 else data.images,
        splits=tuple(split for split in data.splits if split in splits),
        split_drops=drops,
        remarks=(*data.remarks, *remarks),
    )


def _columns(data: AnnotationSet) -> ColumnarImages:
    return ColumnarImages.of(data.images, data.categories)
