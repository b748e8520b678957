"""Readers of annotation files by name; the name is also the name of the file.

>>> names()
['coco', 'datasets', 'flickr30k', 'lvis', 'objects365', 'openimages', 'refcoco', 'table', \
'visualgenome', 'voc', 'yolo']
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from locvlm.annotations.format_detection import detect_format
from locvlm.annotations.names import ReaderName, names
from locvlm.errors import InputError

if TYPE_CHECKING:
    from locvlm.annotations.base import AnnotationSet

__all__ = ["Reader", "ReaderName", "detect_format", "get", "names", "read", "takes"]


class Reader(Protocol):
    """What every reader is; some have further options."""

    def __call__(self, path: str | Path, *, images: str | Path | None = None) -> AnnotationSet: ...


def get(name: str) -> Reader:
    """The reader `name`, imported now. Raises InputError where there is none."""
    if name not in names():
        raise InputError(f"unknown form of annotations {name!r}; known: {', '.join(names())}")
    reader: Reader = getattr(import_module(f"{__name__}.{name}"), f"read_{name}")
    return reader


def takes(name: str, option: str) -> bool:
    """Whether the reader `name` has such an option. Raises InputError where there is no reader."""
    return option in _parameters(name)


def _parameters(name: str) -> list[str]:
    return list(inspect.signature(get(name)).parameters)


def read(
    name: str, path: str | Path, *, images: str | Path | None = None, **options: Any
) -> AnnotationSet:
    """The annotations at `path`, by the reader `name` with its further `options`.

    Raises:
        InputError: no such reader or option, or whatever the reader cannot use.
    """
    reader = get(name)
    for option in options:
        if not takes(name, option):
            known = [option for option in _parameters(name) if option != "path"]
            raise InputError(
                f"annotations in the form {name} have no {option}; they take: {', '.join(known)}"
            )
    return reader(path, images=images, **options)
