"""Where paths lead: links, and folders under several names."""

from __future__ import annotations

import errno
from pathlib import Path

from locvlm.errors import InputError

Identity = tuple[int, int]  # device and number of a file there: equal for all names of one file


def real_path(path: Path) -> Path:
    """The absolute path without links, of what need not be there.

    Raises InputError where links lead in a circle.
    """
    try:
        real = path.resolve()
    except RuntimeError:  # before Python 3.13; from then on it is as below
        raise link_loop(path) from None
    except OSError as error:
        raise link_loop(path) if error.errno == errno.ELOOP else _no_path(path, error) from None
    identity_of(path)
    return real


def identity_of(path: Path) -> Identity | None:
    """The file or folder behind all its names, links and hard links alike; None: there is none.

    Raises InputError where links lead in a circle.
    """
    try:
        found = path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise link_loop(path) from None
        return None
    except ValueError:  # a name that no file system takes
        return None
    return found.st_dev, found.st_ino


def identities_above(path: Path) -> set[Identity]:
    """The folders that a path lies in: as it is written, and as its links lead."""
    above = {*path.absolute().parents, *real_path(path).parents}
    return {found for each in above if (found := identity_of(each)) is not None}


def link_loop(path: object) -> InputError:
    """What is said of links that lead in a circle."""
    return InputError(f"{path}: links that lead in a circle; remove one of them")


def _no_path(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: cannot be read ({error.strerror}); check the path")
