"""`locvlm ask`: any question."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands import answers
from locvlm.commands.arguments import Drawing, ImageFile, Model


def ask(
    image: ImageFile,
    question: Annotated[str, arg(metavar="QUESTION")],
    /,
    *,
    model: Model = "tiny",
    json: bool = False,
    save: Drawing = None,
) -> None:
    """Ask anything about a picture; locations in the answer are said in its original pixels.

    Args:
        image: picture file.
        question: in quotes.
        model: a shipped model or a folder.
        json: print one JSON object, with the locations in the answer.
        save: picture to write with the locations in the answer drawn.
    """
    from locvlm.inference.pictures import open_picture

    picture = open_picture(image)
    predictor = answers.load(model)
    answer = predictor.ask(picture, question)
    places = predictor.coordinates.parse(answer, predictor.frame(picture.size))
    record = {
        "image": str(image),
        "size": picture.size,
        "question": question,
        "answer": answer,
        "locations": [answers.numbers(place) for place in places],
        "frame": answers.FRAME,
    }
    line = "\n".join([answer, *(f"  {answers.text_of(p)} ({answers.FRAME})" for p in places)])
    answers.save_drawing(picture, [(place, "") for place in places], save)
    answers.report(record, line, json=json)
