"""Arguments that several commands share: their types, their names in the help, their checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from locvlm.coordinates import CoordinateFormat, get
from locvlm.errors import InputError
from locvlm.geometry import Location, location_from

ImageFile = Annotated[Path, arg(metavar="IMAGE")]
File = Annotated[Path, arg(metavar="FILE")]
OptionalFile = Annotated[Path | None, arg(metavar="FILE")]
Folder = Annotated[Path, arg(metavar="DIR")]
OptionalFolder = Annotated[Path | None, arg(metavar="DIR")]
Drawing = Annotated[Path | None, arg(metavar="OUT.png")]
Model = Annotated[str, arg(metavar="NAME|DIR")]
Format = Annotated[str | None, arg(metavar="NAME")]
Task = Annotated[str, arg(metavar="TASK")]
Number = Annotated[int, arg(metavar="N")]
OptionalNumber = Annotated[int | None, arg(metavar="N")]


def location_of(flag: str, text: str) -> Location:
    """A box (``--box x1,y1,x2,y2``) or a point (``--point x,y``), original pixels.

    Raises:
        InputError: not as many finite numbers as the flag takes, or swapped corners.
    """
    form = {"--box": "x1,y1,x2,y2", "--point": "x,y"}[flag]
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise InputError(f"{flag} {text}: not numbers; give {form} in pixels") from error
    if len(numbers) != form.count(",") + 1:
        raise InputError(f"{flag} {text}: {len(numbers)} numbers; give {form} in pixels")
    try:
        return location_from(numbers)
    except ValueError as error:
        raise InputError(
            f"{flag} {text}: {error}; give {form} in pixels of the original picture"
        ) from error


def format_of(name: str | None) -> CoordinateFormat | None:
    """The coordinate format of ``--format``; None leaves the choice to the model."""
    return None if name is None else get(name)
