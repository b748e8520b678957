"""What a model is shown: a picture, or the frames of a clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageOps

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.media.clips import Clip, is_clip, open_clip
from locvlm.media.image_files import SUFFIXES
from locvlm.media.images import Picture, open_annotated, open_picture

Media: TypeAlias = Picture | Clip  # as it is given
View: TypeAlias = Image.Image | Clip  # as it is shown


def open_media(media: Media, frames: int | None) -> View:
    """A picture or clip as a model is shown it; both have a `size` (width, height) as displayed.

    To a model of clips a picture is a clip in which nothing moves. To one of pictures a GIF is its
    first frame.

    Args:
        media: a path, a picture or a clip.
        frames: of a clip, that the model reads; None: it reads pictures.

    Raises:
        InputError: as `open_picture` and `open_clip`; or a model of pictures is given a clip.
    """
    if frames is None:
        if isinstance(media, Clip) or only_clip(media):
            what = "the given clip" if isinstance(media, Clip) else media
            raise InputError(
                f"{what}: the model reads pictures; name one that reads clips, such as tiny-video"
            )
        return open_picture(media)
    if isinstance(media, Clip):
        return media
    if not isinstance(media, Image.Image) and is_clip(media):
        return open_clip(media, frames)
    return still(open_picture(media), frames)


def open_annotated_media(path: Path, size: Size, frames: int | None) -> View:
    """As `open_media`, of a picture or clip that was annotated as `size` (width, height).

    Raises:
        InputError: also where it has another size, for boxes would be in the wrong pixels.
    """
    if frames is None and not only_clip(path):
        return open_annotated(path, size)
    if not is_clip(path):
        assert frames is not None  # else it is a clip alone
        return still(open_annotated(path, size), frames)
    clip = open_media(path, frames)
    if clip.size != size:
        raise InputError(
            f"{path}: is {clip.size[0]}x{clip.size[1]} pixels as displayed, annotated as "
            f"{size[0]}x{size[1]}; use the clips that were annotated"
        )
    return clip


def still(picture: Image.Image, frames: int) -> Clip:
    """A clip in which nothing moves."""
    return Clip((picture,) * frames, (0.0,) * frames)


def mirrored(view: View) -> View:
    """Left and right exchanged."""
    return changed(view, ImageOps.mirror)


def changed(view: View, change: Callable[[Image.Image], Image.Image]) -> View:
    """A picture, or each frame of a clip, changed in the same way."""
    if not isinstance(view, Clip):
        return change(view)
    made = {id(frame): change(frame) for frame in {id(f): f for f in view.frames}.values()}
    return replace(view, frames=tuple(made[id(frame)] for frame in view.frames))


def only_clip(media: Media) -> bool:
    """Whether a path is of a clip that no viewer of pictures opens."""
    return (
        isinstance(media, (str, Path))
        and is_clip(media)
        and Path(media).suffix.lower() not in SUFFIXES
    )
