"""`locvlm locate`: where is it?"""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands import answers
from locvlm.commands.arguments import Drawing, ImageFile, Model


def locate(
    image: ImageFile,
    what: Annotated[str, arg(metavar="WHAT")],
    /,
    *,
    model: Model = "tiny",
    json: bool = False,
    save: Drawing = None,
) -> None:
    """Say where something is, as a box in pixels of the original picture.

    Args:
        image: picture file.
        what: what to look for, such as "dog".
        model: a shipped model or a folder.
        json: print one JSON object; its box is null where nothing was found.
        save: picture to write with the box drawn.
    """
    from locvlm.inference.pictures import open_picture

    picture = open_picture(image)
    located = answers.load(model).locate(picture, what)
    box = located.box
    record = {
        "image": str(image),
        "size": picture.size,
        "what": what,
        "box": None if box is None else answers.numbers(box),
        "frame": answers.FRAME,
        "answer": located.answer,
    }
    if box is None:
        line = f"{what}: not found ({located.answer})"
    else:
        line = f"{what}: {answers.text_of(box)} (x1,y1,x2,y2, {answers.FRAME})"
    answers.save_drawing(picture, [] if box is None else [(box, what)], save)
    answers.report(record, line, json=json)
