"""Files and folders that are there complete or not at all.

They are written under hidden names beside their place, which no user would give to a file:

    .NAME.locvlm.part       a file; the next writer of NAME takes it over
    .NAME.locvlm-PROCESS-…  a folder; the next writer of NAME removes those of dead processes
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

from locvlm.errors import InputError
from locvlm.io.digests import digest_bytes
from locvlm.io.links import real_path
from locvlm.io.processes import has_dead_owner, name_owner

_LONGEST = 255  # bytes of a name that file systems take


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
    target = real_path(path) if path.is_symlink() else path
    if target.is_dir():
        raise InputError(f"{path}: cannot be written (it is a folder); check the path")
    if target.exists() and not target.is_file():
        with _open_for_writing(target, path) as file:
            yield file
        return
    part = part_path(target)
    file = _open_for_writing(part, path)
    try:
        with file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def part_path(path: Path) -> Path:
    """Where a file is written until it is whole."""
    name = f".{path.name}.locvlm.part"
    if len(name.encode(errors="surrogateescape")) > _LONGEST:
        digest = digest_bytes(path.name.encode(errors="surrogateescape"))
        name = f".{digest[:16]}.locvlm.part"
    return path.with_name(name)


def is_scratch(name: str) -> bool:
    """Whether a file or folder of this name is one that was not whole yet."""
    return name.startswith(".") and ".locvlm" in name and not name.endswith(".json")


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, moved to `folder` once it is whole; an error leaves what was there.

    Raises:
        InputError: it cannot be made there.
    """
    folder = real_path(folder)
    _tidy_up(folder)
    prefix = f"{_scratch_prefix(folder)}{name_owner()}-"
    scratch = Path(mkdtemp(prefix=prefix, dir=ensure_dir(folder.parent)))
    filled, old = scratch / "new", scratch / "old"
    ensure_dir(filled)
    try:
        yield filled
        if folder.exists():
            folder.replace(old)  # and removed with the scratch folder
        filled.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _scratch_prefix(folder: Path) -> str:
    return f".{folder.name}.locvlm-"


def _tidy_up(folder: Path) -> None:
    """Remove what dead processes were filling; what one had put aside comes back."""
    if not folder.parent.is_dir():
        return
    prefix = _scratch_prefix(folder)
    for scratch in list(folder.parent.iterdir()):
        if scratch.name.startswith(prefix) and has_dead_owner(scratch.name.removeprefix(prefix)):
            if (scratch / "old").exists() and not folder.exists():
                (scratch / "old").replace(folder)
            shutil.rmtree(scratch, ignore_errors=True)


def _open_for_writing(file: Path, path: Path) -> BinaryIO:
    try:
        return file.open("wb")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); check the path") from None


def write_bytes(path: Path, data: bytes) -> None:
    """A whole file, there complete or not at all."""
    with atomic_write(path) as file:
        file.write(data)
