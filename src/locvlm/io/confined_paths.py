"""Paths that are read from files stay in their folder: one door for all names that others wrote."""

from __future__ import annotations

import os
import re
from pathlib import Path

from locvlm.errors import InputError
from locvlm.io.links import real_path
from locvlm.io.reading import quote

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def relative_inside(folder: Path, name: str) -> Path | None:
    """`name` as a path below the folder, by the name alone; None where it leads out of it.

    An absolute name is taken where it lies in the folder. The folder itself is what a user has
    typed: it may hold ``..``. Links are not looked at: folders of linked images are how people
    make splits.

    >>> relative_inside(Path("../photos"), "a/../b.jpg").as_posix()
    'b.jpg'
    >>> relative_inside(Path("photos"), "../secret/x.jpg")
    """
    if not name or "\0" in name or _DRIVE.match(name):
        return None
    base = Path(os.path.normpath(folder.absolute()))
    path, slashed = (
        Path(os.path.normpath(base / each)) for each in (name, name.replace("\\", "/"))
    )
    if not (path.is_relative_to(base) and slashed.is_relative_to(base)) or path == base:
        return None
    return path.relative_to(base)


def confine(folder: Path, name: str) -> Path:
    """The path of `name` in the folder, for reading. Raises InputError where it leads out of it."""
    inside = relative_inside(folder, name)
    if inside is None:
        raise InputError(f"{quote(name)}: leads out of {folder}; give names that stay in it")
    return folder / inside


def confine_output(folder: Path, name: str) -> Path:
    """As `confine`, for writing: links must not lead out of the folder either."""
    path = confine(folder, name)
    if not real_path(path).is_relative_to(real_path(folder)):
        raise InputError(f"{path}: a link on its way leads out of {folder}; remove the link")
    return path
