"""`locvlm locate`: where is it?"""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands import image_commands
from locvlm.commands.arguments import (
    Drawing,
    ImageFile,
    ImageModel,
    OptionalFile,
    Pixels,
    SamplingSeed,
    SpokenFormat,
    Temperature,
)
from locvlm.commands.model_options import ModelOptions


def locate(
    image: ImageFile,
    what: Annotated[str, arg(metavar="WHAT")],
    /,
    *,
    model: ImageModel = None,
    format: SpokenFormat = None,
    min_pixels: Pixels = None,
    max_pixels: Pixels = None,
    temperature: Temperature = 0.0,
    seed: SamplingSeed = 0,
    names: OptionalFile = None,
    json: bool = False,
    save: Drawing = None,
) -> None:
    """Say where something is, as a box in pixels of the original picture.

    Args:
        what: what to look for, such as "dog".
        names: file of words for categories (see `locvlm build`); WHAT may be a category's own name.
        json: print one JSON object; its box is null where nothing was found.
        save: picture to write with the box drawn, of a clip on all frames.
    """
    typed = what
    if names is not None:
        from locvlm.annotations.wording import find_words, read_names

        what = find_words(typed, read_names(names))
    options = ModelOptions(format, min_pixels, max_pixels, temperature, seed)
    view, predictor = image_commands.open_image_and_model(image, model, options, save)
    located = predictor.locate(view, what)
    image_commands.warn_of_cut(predictor)
    box = located.box
    record = {
        "image": str(image),
        "size": view.size,
        **image_commands.times_of(view),
        "what": what,
        **({"category": typed} if what != typed else {}),
        "box": None if box is None else image_commands.rounded_numbers(box),
        "frame": image_commands.FRAME,
        "answer": located.answer,
    }
    if box is None:
        line = f"{what}: not found ({located.answer})"
    else:
        line = f"{what}: {image_commands.location_text(box)} (x1,y1,x2,y2, {image_commands.FRAME})"
    image_commands.save_drawing(view, [] if box is None else [(box, what)], save)
    image_commands.print_answer(record, line, json=json)
