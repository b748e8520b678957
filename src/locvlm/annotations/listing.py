"""Folders of annotations in which nothing else may lie."""

from __future__ import annotations

from pathlib import Path

from locvlm import annotations as readers
from locvlm.annotations.built import is_built
from locvlm.errors import InputError

DEEP = frozenset({"datasets", "labelme", "supervisely"})  # forms read from files at any depth


def is_read_deeply(path: Path, reader: str | None = None) -> bool:
    """Whether what is written anywhere below `path` would be read as annotations, too.

    Args:
        path: file or folder of annotations.
        reader: name of their form; None: told from them.
    """
    if not path.is_dir() or is_built(path):
        return False
    try:
        return (reader or readers.detect_format(path)[0]) in DEEP
    except InputError:  # reading them tells
        return False
