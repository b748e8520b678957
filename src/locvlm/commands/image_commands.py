"""What `locate`, `describe` and `ask` share: the picture, the model, and the answer's forms."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locvlm.errors import InputError
from locvlm.geometry import Location, coords_of
from locvlm.io.outputs import Reads, check_output_file
from locvlm.shown.terminal import say, say_json, say_text

if TYPE_CHECKING:
    from locvlm.commands.model_options import ModelOptions
    from locvlm.inference.predictor import Predictor
    from locvlm.media.opening import Media, View

FRAME = "pixels of the original picture"
COLOUR = "#e0218a"
SOFTWARE = "LocVLM"  # in a drawing's EXIF: who has made it


def open_image_and_model(
    image: Path, model: str | None, options: ModelOptions, save: Path | None = None
) -> tuple[View, Predictor]:
    """What the model is shown, and the model; None: the shipped one for images or that for clips.

    The file is decoded once: what is returned is handed to the model and to the drawing.

    Raises:
        InputError: the file cannot be read, or `save` may not be written, which is told before the
            model is loaded; there is no such model or temperature, or it does not read clips.
    """
    if save is not None:
        check_output_file(
            save, Reads([image]), is_former=_is_drawing, flag="--save", form="a drawing of locvlm"
        )
    from locvlm.media.clips import Clip
    from locvlm.media.opening import is_still, open_media

    media: Media = image
    still = is_still(image)
    if still:
        media = open_media(image)
    model = model or ("tiny" if still else "tiny-video")
    say(f"Loading {model} …", file=sys.stderr)
    predictor = options.load(model)
    view = predictor.open(media)
    if isinstance(view, Clip):
        for note in view.remarks:
            say(f"{image}: {note}", file=sys.stderr)
    return view, predictor


def warn_of_cut(predictor: Predictor) -> None:
    """Say that an answer goes on beyond what is printed."""
    if getattr(predictor, "truncated", 0):
        limit = predictor.decoding["max_new_tokens"]
        say(
            f"Warning: the answer was cut at the limit of {limit} tokens; there is more, such as "
            "further locations",
            file=sys.stderr,
        )


def times_of(view: View) -> dict[str, list[float]]:
    """Of a clip, when its frames are shown, in seconds from the beginning."""
    from locvlm.media.clips import Clip

    if not isinstance(view, Clip):
        return {}
    return {"times": [round(time, 3) for time in view.times]}


def rounded_numbers(location: Location) -> list[float]:
    """``[x1, y1, x2, y2]`` or ``[x, y]``, original pixels to a hundredth."""
    return [round(value, 2) for value in coords_of(location)]


def location_text(location: Location) -> str:
    """The form that ``--box`` and ``--point`` take: ``30,10,90,40``."""
    return ",".join(f"{value:.10g}" for value in rounded_numbers(location))


def print_answer(record: dict[str, Any], line: str, *, json: bool) -> None:
    """Print the record as one JSON object, or the line that says it to a person."""
    if json:
        say_json(record)
    else:
        say_text(line)


def save_drawing(view: View, marks: Sequence[tuple[Location, str]], path: Path | None) -> None:
    """Write what was seen, with labelled locations, to `path`; nothing where it is None.

    Raises:
        InputError: the ending of `path` is not one of a picture, or its folder does not exist.
    """
    if path is None:
        return
    from PIL import Image
    from PIL.ExifTags import Base

    from locvlm.io.atomic import atomic_write
    from locvlm.media.drawing import draw

    drawing = draw(view, [(location, label, COLOUR) for location, label in marks])
    drawing.getexif()[Base.Software] = SOFTWARE
    form = Image.registered_extensions().get(path.suffix.lower())
    try:
        with atomic_write(path) as file:
            drawing.save(file, form, exif=drawing.getexif())
    except (InputError, KeyError, ValueError) as error:
        raise InputError(
            f"--save {path}: cannot be written; give a .png or .jpg in a folder that exists"
        ) from error


def _is_drawing(path: Path) -> bool:
    """Whether it was drawn by one of these commands."""
    from PIL.ExifTags import Base

    from locvlm.media.image_decoder import open_image_file

    try:
        with open_image_file(path) as image:
            return bool(image.getexif().get(Base.Software) == SOFTWARE)
    except InputError:
        return False
