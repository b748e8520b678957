"""Targets of an export by name.

A new target is a file with an `ExportTarget`, and a line in `_TARGETS`.
"""

from __future__ import annotations

from locvlm.errors import InputError
from locvlm.interchange.export import llava, parquet, swift, trl, webdataset
from locvlm.interchange.export.base import ExportTarget

__all__ = ["get", "names"]

_TARGETS: dict[str, ExportTarget] = {
    target.name: target
    for target in (
        trl.TARGET,
        llava.TARGET,
        swift.TARGET,
        llava.QWEN,
        webdataset.TARGET,
        parquet.TARGET,
    )
}


def names() -> list[str]:
    """The known targets, sorted."""
    return sorted(_TARGETS)


def get(name: str) -> ExportTarget:
    """The target `name`. Raises InputError where it is unknown."""
    if name not in _TARGETS:
        raise InputError(f"unknown target {name!r}; known: {', '.join(names())}")
    return _TARGETS[name]
