"""The one way to open what a model is shown: an image, or the frames of a clip.

path or PIL image ──► open_image ──► RGB image as displayed ─┬─► model of images
                                                             └─► still_clip ─┐
path of a clip ─────► open_clip ───────────────────────► frames as displayed ┴─► model of clips
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, overload

from PIL import Image, ImageOps

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.clips import Clip, is_clip, open_clip
from locvlm.media.image_files import IMAGE_SUFFIXES
from locvlm.media.images import ImageInput, open_image

Media: TypeAlias = ImageInput | Clip  # as it is given
View: TypeAlias = Image.Image | Clip  # as the model is shown it


@overload
def open_media(
    media: Media, frames: None = None, *, annotated_size: Size | None = None
) -> Image.Image: ...
@overload
def open_media(media: Media, frames: int, *, annotated_size: Size | None = None) -> Clip: ...
@overload
def open_media(media: Media, frames: int | None, *, annotated_size: Size | None = None) -> View: ...
def open_media(
    media: Media, frames: int | None = None, *, annotated_size: Size | None = None
) -> View:
    """An image or clip as a model is shown it; both have a `size` (width, height) as displayed.

    What this returns may be given to it again: it comes back as it is, nothing is decoded or copied
    twice. To a model of clips an image is a clip in which nothing moves. To a model of images a GIF
    is its first frame.

    Args:
        media: a path, an image or a clip.
        frames: how many frames of a clip the model reads; None: it reads images.
        annotated_size: (width, height) in its annotations; None: not annotated.

    Raises:
        InputError: as `open_image` and `open_clip`; a model of images is given a clip; or it has
            another size than annotated, for boxes would be in the wrong pixels.
    """
    if frames is None:
        if isinstance(media, Clip) or is_clip_only(media):
            what = "the given clip" if isinstance(media, Clip) else media
            raise InputError(
                f"{what}: the model reads pictures; name one that reads clips, such as tiny-video"
            )
        return open_image(media, annotated_size)
    if isinstance(media, Clip):
        clip = media
    elif isinstance(media, Image.Image) or not is_clip(media):
        return still_clip(open_image(media, annotated_size), frames)
    else:
        clip = open_clip(media, frames)
    if annotated_size is not None and clip.size != annotated_size:
        name = "the given clip" if isinstance(media, Clip) else media
        raise InputError(
            f"{name}: is {clip.size[0]}x{clip.size[1]} pixels as displayed, annotated as "
            f"{annotated_size[0]}x{annotated_size[1]}; use the clips that were annotated"
        )
    return clip


def still_clip(image: Image.Image, frames: int) -> Clip:
    """A clip in which nothing moves."""
    return Clip((image,) * frames, (0.0,) * frames)


def mirror(view: View) -> View:
    """Left and right exchanged."""
    return map_images(view, ImageOps.mirror)


def map_images(view: View, change: Callable[[Image.Image], Image.Image]) -> View:
    """An image, or each frame of a clip, changed in the same way."""
    if not isinstance(view, Clip):
        return change(view)
    images = {id(frame): change(frame) for frame in {id(f): f for f in view.frames}.values()}
    return replace(view, frames=tuple(images[id(frame)] for frame in view.frames))


def is_clip_only(media: Media) -> bool:
    """Whether a path is of a clip that no viewer of images opens."""
    return (
        isinstance(media, (str, Path))
        and is_clip(media)
        and Path(media).suffix.lower() not in IMAGE_SUFFIXES
    )
