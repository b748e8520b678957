"""`locvlm ask`: any question."""

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
)
from locvlm.commands.model_options import ModelOptions


def ask(
    image: ImageFile,
    question: Annotated[str, arg(metavar="QUESTION")],
    /,
    *,
    model: ImageModel = None,
    format: SpokenFormat = None,
    min_pixels: Pixels = None,
    max_pixels: Pixels = None,
    temperature: Temperature = 0.0,
    seed: SamplingSeed = 0,
    json: bool = False,
    save: Drawing = None,
) -> None:
    """Ask anything about a picture or clip; an answer's locations are said in its own pixels.

    Args:
        question: in quotes.
        json: print one JSON object, with the locations in the answer.
        save: picture to write with the locations in the answer drawn, of a clip on all frames.
    """
    from locvlm.coordinates.answers import find_answer

    options = ModelOptions(format, min_pixels, max_pixels, temperature, seed)
    view, predictor = image_commands.open_image_and_model(image, model, options, save)
    answer = predictor.ask(view, question)
    image_commands.warn_of_cut(predictor)
    places = predictor.coordinates.parse(find_answer(answer), predictor.frame(view.size))
    record = {
        "image": str(image),
        "size": view.size,
        **image_commands.times_of(view),
        "question": question,
        "answer": answer,
        "locations": [image_commands.rounded_numbers(place) for place in places],
        "frame": image_commands.FRAME,
    }
    line = "\n".join(
        [answer, *(f"  {image_commands.location_text(p)} ({image_commands.FRAME})" for p in places)]
    )
    image_commands.save_drawing(view, [(place, "") for place in places], save)
    image_commands.print_answer(record, line, json=json)
