"""Files that are written once: where one is there already, it must be the very same.

For outputs that nothing in them tells from a user's own file. A command that was killed after it
had written one can so be given again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from locvlm.errors import InputError
from locvlm.io.atomic import atomic_write


class Writer(Protocol):
    """What can be written to."""

    def write(self, data: bytes, /) -> int: ...

    def flush(self) -> None: ...


@contextmanager
def write_once(path: Path) -> Iterator[Writer]:
    """A file to write, there complete or not at all.

    Raises InputError at the first byte in which a file that is there is another.
    """
    if not path.is_file() or not path.stat().st_size:
        with atomic_write(path) as file:
            yield file
        return
    with path.open("rb") as there:
        yield _SameAgain(path, there)
        if there.read(1):
            raise _other(path)


class _SameAgain:
    """Compares what is written with the file that is there."""

    def __init__(self, path: Path, there: BinaryIO):
        self.path, self.there = path, there

    def write(self, data: bytes, /) -> int:
        if self.there.read(len(data)) != data:
            raise _other(self.path)
        return len(data)

    def flush(self) -> None:
        """There is nothing to be written."""


def _other(path: Path) -> InputError:
    return InputError(
        f"{path}: exists with other content, so it is not replaced; give another name, or remove it"
    )
