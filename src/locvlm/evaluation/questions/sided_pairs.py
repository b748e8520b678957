"""Pairs of objects on opposite sides of a picture: what COCO-Spatial asks about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.evaluation.metrics.side_words import WORDS
from locvlm.io.digests import digest_bytes

_NEAR, _FAR = 0.4, 0.6  # of the width or height; between them is no clear side

Sides: TypeAlias = tuple[list[Object], list[Object]]  # low coordinate (left, above), then high


@dataclass(frozen=True, slots=True)
class Pair:
    """What is asked: on which side of `a` is `b`?"""

    form: str  # "direct" or "in-context"
    a: Object
    b: Object
    word: str  # the side of b
    companions: tuple[Object, ...] = ()  # on the side of a; in context, an example needs one


def find_sides(image: AnnotatedImage, axis: str) -> Sides:
    """The single objects whose center is clearly on a side."""
    low, high = [], []
    for item in image.single_instances():
        center = item.box.center
        along = center.x / image.width if axis == "left-right" else center.y / image.height
        if along < _NEAR:
            low.append(item)
        elif along > _FAR:
            high.append(item)
    return low, high


def all_pairs(axis: str, sides: Sides) -> Iterator[Pair]:
    """Each ordered pair on opposite sides; in context too where `a` has a companion."""
    words = WORDS[axis]
    for here, there, word in ((*sides, words[1]), (*sides[::-1], words[0])):
        for a in here:
            for b in there:
                yield Pair("direct", a, b, word)
                if companions := tuple(item for item in here if item is not a):
                    yield Pair("in-context", a, b, word, companions)


def draw_pairs(pairs: Sequence[Pair], most: int, seed: str) -> list[int]:
    """The places of all questions about `most` of the pairs of objects (a, b), in their order.

    Which: those whose hash is smallest, so that more of them contain fewer.
    """
    named = [f"{pair.a.category}>{pair.b.category}" for pair in pairs]
    if len(set(named)) <= most:
        return list(range(len(pairs)))
    drawn = sorted(set(named), key=lambda name: (digest_bytes(f"{seed}/{name}".encode()), name))
    kept = set(drawn[:most])
    return [place for place, name in enumerate(named) if name in kept]


def pairs_of_three(axis: str, sides: Sides) -> Iterator[Pair]:
    """obj_1, alone on its side, with each of the other two, once, as the paper's prompts order.

    Directly the other is asked for, seen from obj_1; in context obj_1, seen from the other: only
    so there is a companion for the examples.
    """
    words = WORDS[axis]
    lone = 0 if len(sides[0]) == 1 else 1
    (first,), others = sides[lone], sides[1 - lone]
    for item, companion in zip(others, others[::-1], strict=True):
        yield Pair("direct", first, item, words[1 - lone])
        yield Pair("in-context", item, first, words[lone], (companion,))
