"""Pictures shown whole to a model whose own processor crops their middle.

CLIP's processor resizes the shortest edge and cuts a square out of the middle: of a 4:3 photo a
quarter is never seen, and what lies there can neither be found nor learned.
"""

from __future__ import annotations

from typing import Any

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.processors import visible_part
from locvlm.processors.settings import setting

_SHAPES: tuple[Size, ...] = ((640, 160), (160, 640), (320, 320))  # wide, tall and square


def show_whole(processor: Any) -> Any:
    """The processor, which from now on stretches each picture to the square that it has cut out.

    One that shows all of a picture already (stretched, padded or in tiles) stays as it is. What is
    changed are settings that any reader of the processor's files has: `size`, and no center crop.

    Raises:
        InputError: it leaves out parts of pictures in another way.
    """
    images = getattr(processor, "image_processor", processor)
    if _shows_all(images):
        return processor
    square = setting(images, "crop_size")
    before = {name: getattr(images, name, None) for name in ("size", "do_center_crop", "do_resize")}
    if square.get("height") and square.get("width"):
        images.size = {"height": square["height"], "width": square["width"]}
        images.do_resize, images.do_center_crop = True, False
        if _shows_all(images):
            return processor
        for name, value in before.items():
            setattr(images, name, value)
    raise InputError(
        f"whole_images: {type(images).__name__} leaves out parts of pictures otherwise than by a "
        "crop of the middle that can be switched off"
    )


def _shows_all(images: Any) -> bool:
    """Of pictures of any shape, all in one size where the others are."""
    return all(visible_part(images, size) is None for size in _SHAPES)
