"""What `locate`, `describe` and `ask` share: the picture, the model, and the answer's forms."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from locvlm.errors import InputError
from locvlm.geometry import Location, coords_of

if TYPE_CHECKING:
    from PIL import Image

    from locvlm.inference.predictor import Predictor

FRAME = "pixels of the original picture"
COLOUR = "#e0218a"


def load(model: str) -> Predictor:
    """The model, with a line on standard error while it loads."""
    import locvlm

    print(f"Loading {model} …", file=sys.stderr)
    return locvlm.load(model)


def numbers(location: Location) -> list[float]:
    """``[x1, y1, x2, y2]`` or ``[x, y]``, original pixels to a hundredth."""
    return [round(value, 2) for value in coords_of(location)]


def text_of(location: Location) -> str:
    """The form that ``--box`` and ``--point`` take: ``30,10,90,40``."""
    return ",".join(f"{value:g}" for value in numbers(location))


def report(record: dict[str, Any], line: str, *, json: bool) -> None:
    """Print the record as one JSON object, or the line that says it to a person."""
    print(msgspec.json.encode(record).decode() if json else line)


def save_drawing(
    picture: Image.Image, marks: Sequence[tuple[Location, str]], path: Path | None
) -> None:
    """Write the picture with labelled locations to `path`; nothing where it is None.

    Raises:
        InputError: the ending of `path` is not one of a picture, or its folder does not exist.
    """
    from locvlm.inference.drawing import draw

    if path is None:
        return
    drawing = draw(picture, [(location, label, COLOUR) for location, label in marks])
    try:
        drawing.save(path)
    except (ValueError, FileNotFoundError) as error:
        raise InputError(
            f"--save {path}: cannot be written; give a .png or .jpg in a folder that exists"
        ) from error
