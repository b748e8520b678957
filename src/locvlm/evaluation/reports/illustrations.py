"""Pictures for reports: the truth and what the model found, drawn on a small copy."""

from __future__ import annotations

import random
from collections.abc import Hashable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image

from locvlm.evaluation.questions import Mark
from locvlm.geometry import location_from
from locvlm.inference.pictures import open_picture

TRUE_COLOUR, FOUND_COLOUR = "#009e73", "#d55e00"  # told apart by colour-blind eyes too
LONG_SIDE = 400  # pixels of the copy
_QUALITY = 80

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


def illustrate(path: Path, marks: Sequence[Mark], found: Sequence[float] | None) -> Image.Image:
    """A copy of at most `LONG_SIDE` pixels; `marks` and `found` are in original pixels.

    Raises InputError where the picture is missing or damaged.
    """
    from locvlm.inference.drawing import draw

    picture = open_picture(path)
    scale = min(1.0, LONG_SIDE / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    drawn = [(mark.coords, mark.label, TRUE_COLOUR) for mark in marks]
    if found is not None:
        drawn.append((tuple(found), "answer", FOUND_COLOUR))
    to_small = (size[0] / picture.width, size[1] / picture.height) * 2
    places = [
        (location_from([v * s for v, s in zip(coords, to_small, strict=False)]), label, colour)
        for coords, label, colour in drawn
    ]
    return draw(picture.resize(size, Image.Resampling.LANCZOS), places)


def jpeg(picture: Image.Image) -> bytes:
    """A small JPEG file."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
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
