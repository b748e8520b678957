"""Files that are there complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from locvlm.errors import InputError


def ensure_dir(folder: Path) -> Path:
    """`folder`, made where it is not there. Raises InputError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: no folder can be made there ({error.strerror})") from None
    return folder


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A file to write, moved to `path` once it is whole; an error leaves what was there.

    Of a link the file that it leads to is replaced. A device or pipe is written to as it is.

    Raises:
        InputError: nothing can be written there.
    """
    target = path.resolve() if path.is_symlink() else path
    if target.is_dir():
        raise InputError(f"{path}: cannot be written (it is a folder); check the path")
    if target.exists() and not target.is_file():
        with _open_for_writing(target, path) as file:
            yield file
        return
    part = target.with_name(target.name + ".part")
    file = _open_for_writing(part, path)
    try:
        with file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, moved to `folder` once it is whole; an error leaves what was there."""
    with TemporaryDirectory(prefix=f".{folder.name}.", dir=ensure_dir(folder.parent)) as scratch:
        filled, old = Path(scratch, "new"), Path(scratch, "old")
        filled.mkdir()
        yield filled
        if folder.exists():
            folder.replace(old)  # and removed with the scratch folder
        filled.replace(folder)


def _open_for_writing(file: Path, path: Path) -> BinaryIO:
    try:
        return file.open("wb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check the path") from None


def write_bytes(path: Path, data: bytes) -> None:
    """A whole file, there complete or not at all."""
    with atomic_write(path) as file:
        file.write(data)
