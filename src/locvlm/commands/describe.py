"""`locvlm describe`: what is there?"""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands import image_commands
from locvlm.commands.arguments import (
    Drawing,
    ImageFile,
    ImageModel,
    Pixels,
    SamplingSeed,
    SpokenFormat,
    Temperature,
    parse_location,
)
from locvlm.commands.model_options import ModelOptions
from locvlm.errors import InputError
from locvlm.geometry import Location


def describe(
    image: ImageFile,
    /,
    *,
    box: Annotated[str | None, arg(metavar="x1,y1,x2,y2")] = None,
    point: Annotated[str | None, arg(metavar="x,y")] = None,
    model: ImageModel = None,
    format: SpokenFormat = None,
    min_pixels: Pixels = None,
    max_pixels: Pixels = None,
    temperature: Temperature = 0.0,
    seed: SamplingSeed = 0,
    json: bool = False,
    save: Drawing = None,
) -> None:
    """Say what is in a box or at a point, given in pixels of the original picture.

    Args:
        box: its left, top, right and bottom edge, pixels of the original picture.
        point: pixels of the original picture.
        json: print one JSON object.
        save: picture to write with the place drawn, of a clip on all frames.
    """
    location = _place(box, point)
    options = ModelOptions(format, min_pixels, max_pixels, temperature, seed)
    view, predictor = image_commands.open_image_and_model(image, model, options, save)
    answer = predictor.describe(view, location)
    image_commands.warn_of_cut(predictor)
    record = {
        "image": str(image),
        "size": view.size,
        **image_commands.times_of(view),
        "box" if box else "point": image_commands.rounded_numbers(location),
        "frame": image_commands.FRAME,
        "answer": answer,
    }
    image_commands.save_drawing(view, [(location, answer)], save)
    image_commands.print_answer(record, answer, json=json)


def _place(box: str | None, point: str | None) -> Location:
    if (box is None) == (point is None):
        raise InputError("describe needs a place: give either --box x1,y1,x2,y2 or --point x,y")
    return (
        parse_location("--box", box) if box is not None else parse_location("--point", point or "")
    )
