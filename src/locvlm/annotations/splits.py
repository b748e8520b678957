"""The splits of a data set: what they are called, which is read, and what belongs to one.

Each form names them in its own way; here they are train, val and test, and others as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.io.reading import quote

TRAIN, VAL, TEST, ALL = "train", "val", "test", "all"
HELD_OUT = "held-out"  # val, else test, else all that there is
# with a year, as COCO's files and folders have it
_USUAL = re.compile(
    r"(?:(train|training)|(val|valid|validation|dev)|(test|testing))(?:\d{4})?", re.IGNORECASE
)


def canonical_split(name: str) -> str:
    """train, val or test for the usual names of these; any other name as it is.

    >>> canonical_split("valid"), canonical_split("train2017"), canonical_split("testA")
    ('val', 'train', 'testA')
    """
    match = _USUAL.fullmatch(name)
    return (TRAIN, VAL, TEST)[match.lastindex - 1] if match and match.lastindex else name


def name_splits(own: Iterable[str]) -> dict[str, str]:
    """A source's own names of splits -> what they are called here.

    Where two would be called the same, the one that is called so keeps the name, and so do others
    keep theirs.

    >>> name_splits(["train", "valid"]), name_splits(["dev", "val"])
    ({'train': 'train', 'valid': 'val'}, {'dev': 'dev', 'val': 'val'})
    """
    names = dict.fromkeys(own)
    count = Counter(map(canonical_split, names))
    return {
        name: canonical if count[canonical := canonical_split(name)] == 1 else name
        for name in names
    }


def choose_split(split: str | None, known: Sequence[str], path: Path) -> str:
    """The split to read, `ALL` for every one.

    Args:
        split: its name, `ALL`, or `HELD_OUT`; None: train, or the only one that there is.
        known: the splits that there are.
        path: of the annotations, for the message.

    Raises:
        InputError: there is no such split, or none was chosen of several without a train.
    """
    if split == HELD_OUT:
        every = known[0] if len(known) == 1 else ALL
        return next((name for name in (VAL, TEST) if name in known), every)
    if split is None and len(known) > 1 and TRAIN not in known:
        raise InputError(
            f"{path}: has no split train; give --split NAME or all; {_tell_known(known)}"
        )
    if split is None:
        return TRAIN if TRAIN in known else next(iter(known), ALL)
    for name in (split, canonical_split(split)):
        if name in (ALL, *known):
            return name
    raise InputError(f"{path}: has no split {split!r}; {_tell_known(known)}")


def select_split(data: AnnotationSet, split: str) -> AnnotationSet:
    """`data` with the images of one split alone; `ALL` or an empty name: of all."""
    if split in ("", ALL):
        return data
    if isinstance(data.images, ColumnarImages):
        mask = np.array([image.split == split for image in data.images.bare], np.bool_)
        return data if mask.all() else replace(data, images=data.images.keep(mask))
    kept = tuple(image for image in data.images if image.split == split)
    return data if len(kept) == len(data.images) else replace(data, images=kept)


def assign_splits(
    images: Sequence[AnnotatedImage], split_of: Callable[[AnnotatedImage], str]
) -> Sequence[AnnotatedImage]:
    """The images, each with the split that `split_of` tells; it is not shown their objects."""
    bare = [replace(image, split=split_of(image)) for image in _bare(images)]
    if isinstance(images, ColumnarImages):
        return ColumnarImages(bare, images.starts, images.objects)
    return bare


def asked_split(data: AnnotationSet) -> str:
    """The split that was asked for, or `ALL`; empty where there are none."""
    return data.options.get("split", "") if data.splits else ""


def select_asked(data: AnnotationSet) -> AnnotationSet:
    """`data` with the images of the split that was asked for."""
    return select_split(data, asked_split(data))


def list_held_out(data: AnnotationSet, asked: AnnotationSet) -> tuple[str, ...]:
    """File names of the images of `data` that are not in `asked`, each once."""
    if asked is data:
        return ()
    learned = {image.file_name for image in _bare(asked.images)}
    names = dict.fromkeys(image.file_name for image in _bare(data.images))
    return tuple(name for name in names if name not in learned)


def count_splits(images: Sequence[AnnotatedImage]) -> dict[str, int]:
    """How many images each split has; those of none are left out."""
    counts = Counter(image.split for image in _bare(images))
    return {name: count for name, count in counts.items() if name}


def _tell_known(known: Sequence[str]) -> str:
    return f"it has: {quote(', '.join(known), 200)}" if known else "it has none"


def _bare(images: Sequence[AnnotatedImage]) -> Sequence[AnnotatedImage]:
    return images.bare if isinstance(images, ColumnarImages) else images
