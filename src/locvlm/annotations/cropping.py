"""What is annotated in a part of a picture.

            ┌─────────── the picture
┌─────────┐ │  seen wholly, or at least half:  an object, with the box of what is seen
│  part   │ │  seen less, or a crowd cut:      neither there nor absent
└─────────┘ │  not seen at all:                absent, if the data set tells what is
"""

from __future__ import annotations

from dataclasses import replace

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box, Frame

ENOUGH = 0.5  # share of a box's area that must be seen, or one cannot ask about what it holds
MOST_OF_IT = 0.8  # share of the picture's area; what is said about less of it may not hold


def is_enough(box: Box, part: Box) -> bool:
    """Whether a box of which no more than `part` is seen can be asked about.

    One rule for the parts of pictures that training draws, and for what a model sees of a picture.
    """
    return part == box or (part.area > 0 and part.area >= ENOUGH * box.area)


def crop_annotations(image: AnnotatedImage, window: Box) -> AnnotatedImage:
    """What is known about the part of a picture inside `window`, in the pixels of that part.

    Captions and descriptions ("the man on the left") speak of the whole picture: they stay where
    the part is most of it. A category of which too little is seen to tell is `not_exhaustive`.

    Args:
        image: the whole picture.
        window: whole original pixels, inside the picture.

    Raises:
        ValueError: the window is not that.
    """
    frame = Frame.window((image.width, image.height), window)
    keeps_most = window.area > MOST_OF_IT * image.width * image.height
    objects: list[Object] = []
    unsure, outside = dict.fromkeys(image.not_exhaustive), dict[str, None]()
    for item in image.objects:
        moved = frame.apply(item.box)
        assert isinstance(moved, Box)
        part = moved.clip(*frame.model)
        if not item.box.overlaps(window):
            outside[item.category] = None
        elif (item.crowd and part != moved) or not part.area or not is_enough(moved, part):
            unsure[item.category] = None
        else:
            descriptions = item.descriptions if keeps_most else ()
            objects.append(replace(item, box=part, descriptions=descriptions))
    return replace(
        image,
        width=frame.model[0],
        height=frame.model[1],
        objects=tuple(objects),
        captions=image.captions if keeps_most else (),
        # `absent_of` leaves out what is seen as well
        absent=None if image.absent is None else (*dict.fromkeys((*image.absent, *outside)),),
        not_exhaustive=tuple(unsure),
    )
