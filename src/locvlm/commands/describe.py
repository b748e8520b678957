"""`locvlm describe`: what is there?"""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands import answers
from locvlm.commands.arguments import Drawing, ImageFile, Model, location_of
from locvlm.errors import InputError
from locvlm.geometry import Location


def describe(
    image: ImageFile,
    /,
    *,
    box: Annotated[str | None, arg(metavar="x1,y1,x2,y2")] = None,
    point: Annotated[str | None, arg(metavar="x,y")] = None,
    model: Model = "tiny",
    json: bool = False,
    save: Drawing = None,
) -> None:
    """Say what is in a box or at a point, given in pixels of the original picture.

    Args:
        image: picture file.
        box: its left, top, right and bottom edge, pixels of the original picture.
        point: pixels of the original picture.
        model: a shipped model or a folder.
        json: print one JSON object.
        save: picture to write with the place drawn.
    """
    from locvlm.inference.pictures import open_picture

    location = _place(box, point)
    picture = open_picture(image)
    answer = answers.load(model).describe(picture, location)
    record = {
        "image": str(image),
        "size": picture.size,
        "box" if box else "point": answers.numbers(location),
        "frame": answers.FRAME,
        "answer": answer,
    }
    answers.save_drawing(picture, [(location, answer)], save)
    answers.report(record, answer, json=json)


def _place(box: str | None, point: str | None) -> Location:
    if (box is None) == (point is None):
        raise InputError("describe needs a place: give either --box x1,y1,x2,y2 or --point x,y")
    return location_of("--box", box) if box is not None else location_of("--point", point or "")
