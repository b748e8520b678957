"""Targets of an export by name; the name is also the name of the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, cast

from locvlm.errors import InputError
from locvlm.interchange.export import llava, parquet, qwen, swift, trl, webdataset
from locvlm.interchange.export.base import ExportOptions, ExportSample

__all__ = ["ExportOptions", "ExportSample", "Target", "get", "names"]


class Target(Protocol):
    """Writes samples in another project's form."""

    NAME: str
    WRITTEN: bool  # locations are written into its text, in the coordinate format
    MARKS: tuple[str, ...]  # what the target would take for a picture or a box, not for text

    def write(self, samples: Iterable[ExportSample], out: Path, options: ExportOptions) -> None:
        """Write them to `out`, there complete or not at all."""


_TARGETS = {
    module.NAME: cast(Target, module) for module in (trl, llava, swift, qwen, webdataset, parquet)
}


def names() -> list[str]:
    """The known targets, sorted."""
    return sorted(_TARGETS)


def get(name: str) -> Target:
    """The target `name`. Raises InputError where it is unknown."""
    if name not in _TARGETS:
        raise InputError(f"unknown target {name!r}; known: {', '.join(names())}")
    return _TARGETS[name]
