"""The pixels that a model sees of an image or clip, and the frame from original pixels to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from locvlm.geometry import Box, Frame, Location
from locvlm.media.clips import Clip
from locvlm.media.opening import View
from locvlm.processors import frame_of, has_formula, shows_tiles
from locvlm.processors.probe import look, process, show, whole_frame

LONGEST = 1344  # pixels that an original is shrunk to where it stands for its tiles


@dataclass(frozen=True)
class SeenImage:
    """What is drawn of a view."""

    image: Image.Image
    frame: Frame  # original pixels to the pixels of `image`
    tiles: tuple[Location, ...] = ()  # boxes, original pixels: what each tile covers


def see(processor: Any, view: View) -> SeenImage:
    """The model's own pixels, not normalized; of a clip, their mean.

    Of an image that is cut into tiles the original, with the part that each tile covers: no one
    picture that the model sees shows all that it sees.

    Raises InputError where what the processor does cannot be told.
    """
    images = list(view.frames) if isinstance(view, Clip) else [view]
    size = images[0].size
    part = getattr(processor, "image_processor", processor)
    if has_formula(part) and not shows_tiles(part) and _is_plain(part):
        return SeenImage(
            _mean([_plain_pixels(part, image) for image in images]), frame_of(part, size)
        )
    views = look(part, size)
    if len(views) == 1:
        shown = [show(views[0], process(part, image)) for image in images]
        return SeenImage(_mean(shown), views[0].frame)
    whole = whole_frame(tuple(each.frame for each in views))
    covered = [each.frame.invert(Box(0, 0, *each.frame.model)) for each in views]
    tiles = tuple(
        box.clip(*size) for box, each in zip(covered, views, strict=True) if each.frame != whole
    )
    shrink = min(1.0, LONGEST / max(size))
    small = (max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink)))
    return SeenImage(images[0].convert("RGB").resize(small), Frame.resize(size, small), tiles)


def _is_plain(part: Any) -> bool:
    """Whether it gives a picture as it is, not in patches."""
    return not hasattr(part, "patch_size") or not hasattr(part, "merge_size")


def _plain_pixels(part: Any, image: Image.Image) -> np.ndarray[Any, Any]:
    """(H, W, 3) of one picture; the colors are the original's."""
    out = part([image], do_rescale=False, do_normalize=False, return_tensors="np")
    pixels = np.asarray(out["pixel_values"], np.float32)
    return np.moveaxis(pixels.reshape(-1, *pixels.shape[-3:])[0], 0, -1)


def _mean(pictures: list[np.ndarray[Any, Any]]) -> Image.Image:
    mean = np.mean(np.stack(pictures).astype(np.float32), axis=0)
    return Image.fromarray(np.clip(mean.round(), 0, 255).astype(np.uint8))
