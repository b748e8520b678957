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
from locvlm.io.reading import is_file
from locvlm.media.clips import (
    Clip,
    count_frames,
    is_clip,
    open_clip,
    open_first_frame,
    say_stretch,
)
from locvlm.media.headers import Header
from locvlm.media.image_files import IMAGE_SUFFIXES
from locvlm.media.images import ImageInput, open_image, read_whole_header
from locvlm.media.signatures import read_kind

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
    is its first frame, and so is any clip that has no other. What a file is, its content says.

    Args:
        media: a path, an image or a clip.
        frames: how many frames of a clip the model reads; None: it reads images.
        annotated_size: (width, height) in its annotations; None: not annotated.

    Raises:
        InputError: as `open_image` and `open_clip`; a model of images is given a clip; or it has
            another size than annotated, for boxes would be in the wrong pixels.
    """
    if frames is None:
        if isinstance(media, (str, Path)) and is_clip_only(media) and is_file(Path(media)):
            media = open_clip(media, 1).frames[0] if is_still(Path(media)) else media
        if isinstance(media, Clip) or is_clip_only(media):
            what = "the given clip" if isinstance(media, Clip) else media
            raise InputError(
                f"{what}: the model reads pictures; name one that reads clips, such as tiny-video"
            )
        return open_image(media, annotated_size)
    if isinstance(media, Clip):
        clip = media
    elif isinstance(media, Image.Image) or not _is_moving(Path(media)):
        return still_clip(open_image(media, annotated_size), frames)
    else:
        clip = open_clip(media, frames)
    if annotated_size is not None and clip.size != annotated_size:
        name = "the given clip" if isinstance(media, Clip) else media
        advice = "use the clips that were annotated"
        if clip.stretch != 1:
            advice = say_stretch(clip.size, clip.stretch)
        raise InputError(
            f"{name}: is {clip.size[0]}x{clip.size[1]} pixels as displayed, annotated as "
            f"{annotated_size[0]}x{annotated_size[1]}; {advice}"
        )
    return clip


def read_media_header(path: Path) -> Header:
    """The header of an image that is not cut short, or the size of a clip.

    Raises:
        InputError: as `read_whole_header`; no frame of the clip can be decoded, or PyAV is missing.
    """
    if read_kind(path) == "other" and is_clip(path):
        return Header(open_first_frame(path).size)
    return read_whole_header(path)


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


def is_still(path: Path) -> bool:
    """Whether a picture or clip has one frame alone, by its content.

    Raises:
        InputError: it is missing, or is to be a clip and cannot be read, or PyAV is missing.
    """
    return not _is_moving(path) or count_frames(path) < 2


def _is_moving(path: Path) -> bool:
    """Whether a file is to be read as a clip: by its content, by its name where that is open."""
    kind = read_kind(path)
    return kind in ("gif", "animation") or (kind == "other" and is_clip(path))


def is_clip_only(media: Media) -> bool:
    """Whether a path is of a clip that no viewer of images opens."""
    return (
        isinstance(media, (str, Path))
        and is_clip(media)
        and Path(media).suffix.lower() not in IMAGE_SUFFIXES
    )
