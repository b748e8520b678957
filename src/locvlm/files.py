"""Files that are there complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from locvlm.errors import InputError


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file to write, moved to `path` once it is whole; an error leaves what was there.

    Raises:
        InputError: nothing can be written there.
    """
    part = path.with_name(path.name + ".part")
    if path.is_dir():
        raise InputError(f"{path}: cannot be written (it is a folder); check the path")
    try:
        file = part.open("wb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check the path") from None
    try:
        with file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
