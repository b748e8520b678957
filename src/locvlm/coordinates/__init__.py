"""Coordinate formats by name; the name is also the name of the file.

>>> from locvlm.geometry import Box
>>> get("ivb", bins=224).encode(Box(10, 120, 30, 145), (512, 512))
'(4,52,13,63)'
"""

from dataclasses import fields
from typing import Any

from locvlm.coordinates.base import CoordinateError, CoordinateFormat, ParseReport
from locvlm.coordinates.diga import DIGA
from locvlm.coordinates.ivb import IVB
from locvlm.coordinates.nfp import NFP
from locvlm.errors import InputError

__all__ = ["CoordinateError", "CoordinateFormat", "ParseReport", "get", "names"]

_FORMATS: dict[str, type[CoordinateFormat]] = {cls.name: cls for cls in (NFP, IVB, DIGA)}


def names() -> list[str]:
    """The known formats, sorted."""
    return sorted(_FORMATS)


def get(name: str, **options: Any) -> CoordinateFormat:
    """The format `name` with its options (`bins` for ivb and diga).

    Raises InputError where the name, an option or its value is unknown.
    """
    if name not in _FORMATS:
        raise InputError(f"unknown coordinate format {name!r}; known: {', '.join(names())}")
    cls = _FORMATS[name]
    known = [f.name for f in fields(cls) if f.init]
    for option in options:
        if option not in known:
            raise InputError(
                f"coordinate format {name} has no option {option!r}; "
                f"it has: {', '.join(known) or 'none'}"
            )
    return cls(**options)
