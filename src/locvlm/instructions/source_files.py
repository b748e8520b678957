"""The files that a data set is built from: where they lie, and their digests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from locvlm.annotations.built import MANIFEST, is_built
from locvlm.io.atomic import is_scratch
from locvlm.io.digests import digest_file
from locvlm.io.outputs import MARK
from locvlm.io.reading import files_below, is_file
from locvlm.media.image_files import IMAGE_SUFFIXES

NO_FILES = ("split", "boxes")  # options of readers that name none


def manifest_fields(**paths: Path | None) -> dict[str, str]:
    """Where each file lies, and under ``NAME_sha256`` its digest; empty for what is not given."""
    digests = {f"{name}_sha256": digest_files(path) for name, path in paths.items()}
    return {name: absolute(path) for name, path in paths.items()} | digests


def absolute(path: Path | None) -> str:
    """The whole path; empty for None."""
    return str(path.resolve()) if path else ""


def digest_options(options: Mapping[str, str]) -> dict[str, str]:
    """The digests of the files among a reader's options."""
    return {
        name: digest_files(Path(value)) for name, value in options.items() if name not in NO_FILES
    }


def digest_files(path: Path | None) -> str:
    """SHA-256 of a file; of a folder, that of the names and contents of its annotation files.

    What LocVLM itself has written below is none of them.
    """
    if path is None:
        return ""
    if not path.is_dir():
        return digest_file(path)
    digest = hashlib.sha256()
    files = files_below(path)
    own = {file.parent for file in files if _is_mark(file)} - {path}
    for file in files:
        if own.intersection(file.parents):
            continue
        if file.suffix.lower() not in IMAGE_SUFFIXES and is_file(file):
            name = file.relative_to(path).as_posix()
            digest.update(os.fsencode(f"{name} {digest_files(file)}\n"))
    return digest.hexdigest()


def _is_mark(file: Path) -> bool:
    """Whether the folder of the file is an output of a command."""
    return (
        file.name == MARK
        or is_scratch(file.name)
        or (file.name == MANIFEST and is_built(file.parent))
    )
