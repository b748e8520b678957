"""Pictures for reports: the truth and what the model found, drawn on a small copy."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TypeAlias, TypeVar

from PIL import Image

from locvlm.evaluation.task import Mark
from locvlm.geometry import Size, location_from
from locvlm.media.clips import Clip, open_clip
from locvlm.media.images import open_image
from locvlm.media.opening import View, is_clip_only, mirror

TRUE_COLOUR, FOUND_COLOUR = "#009e73", "#d55e00"  # told apart by colour-blind eyes too
# Of several models, in their order; page.css.j2 has them (darker, as letters) as --one, --two, …
MODEL_COLOURS = ("#0072b2", FOUND_COLOUR, "#cc79a7", "#f0e442")
LONG_SIDE = 400  # pixels of the copy
FRAMES, FRAME_SIDE = 4, 200  # of a clip: how many are shown, and pixels of each
_QUALITY = 80

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


Found: TypeAlias = tuple[Sequence[float], str, str]  # original pixels, label, colour


def illustrate(
    path: Path,
    marks: Sequence[Mark],
    found: Sequence[float] | None,
    *,
    clip: bool = False,
    mirrored: bool = False,
) -> Image.Image:
    """A copy of at most `LONG_SIDE` pixels; of a clip, some frames of it beside each other.

    Raises InputError where the picture or clip is missing or damaged.

    Args:
        path: of the picture or clip.
        marks: what is annotated, original pixels.
        found: the location in the answer, original pixels.
        clip: whether it is one, where the name leaves that open: a GIF may be a picture, too.
        mirrored: show it with left and right exchanged; `marks` and `found` are in those pixels.
    """
    answers = [] if found is None else [(found, "answer", FOUND_COLOUR)]
    return illustrate_answers(path, marks, answers, clip=clip, mirrored=mirrored)


def illustrate_answers(
    path: Path,
    marks: Sequence[Mark],
    answers: Sequence[Found],
    *,
    clip: bool = False,
    mirrored: bool = False,
) -> Image.Image:
    """As `illustrate`, with the locations of several answers in one picture."""
    from locvlm.media.drawing import draw

    clip = clip or is_clip_only(path)
    view: View = open_clip(path, FRAMES) if clip else open_image(path)
    view = mirror(view) if mirrored else view
    scale = min(1.0, (FRAME_SIDE if clip else LONG_SIDE) / max(view.size))
    width, height = view.size
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shapes = [(tuple(mark.coords), mark.label, TRUE_COLOUR) for mark in marks]
    shapes += [(tuple(coords), label, colour) for coords, label, colour in answers]
    to_small = (size[0] / width, size[1] / height) * 2
    places = [
        (location_from([v * s for v, s in zip(coords, to_small, strict=False)]), label, colour)
        for coords, label, colour in shapes
    ]
    return draw(_resize(view, size), places)


def _resize(view: View, size: Size) -> View:
    if isinstance(view, Clip):
        shrunk = tuple(frame.resize(size, Image.Resampling.LANCZOS) for frame in view.frames)
        return replace(view, frames=shrunk)
    return view.resize(size, Image.Resampling.LANCZOS)


def encode_jpeg(image: Image.Image) -> bytes:
    """A small JPEG file."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def pick(groups: Iterable[tuple[K, T]], count: int, *, seed: int) -> list[tuple[K, T]]:
    """At most `count` of the (group, item) pairs: groups in turn, at random by `seed` within each.

    So a report shows rare outcomes too; how frequent each is, the scores tell.
    """
    piles: dict[K, list[T]] = {}
    for key, item in groups:
        piles.setdefault(key, []).append(item)
    rng = random.Random(seed)
    for pile in piles.values():
        rng.shuffle(pile)
    picked: list[tuple[K, T]] = []
    while len(picked) < count and any(piles.values()):
        picked += [(key, pile.pop()) for key, pile in piles.items() if pile]
    return picked[:count]
