"""The names of the readers: those of their files."""

from __future__ import annotations

from typing import Literal, get_args

ReaderName = Literal[
    "coco",
    "datasets",
    "flickr30k",
    "lvis",
    "objects365",
    "openimages",
    "refcoco",
    "table",
    "visualgenome",
    "voc",
    "yolo",
]


def names() -> list[str]:
    """The known readers, sorted."""
    return sorted(get_args(ReaderName))
