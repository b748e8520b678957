"""Which of two things is further left, which is higher: the relation in words, no coordinates.

The questions are those of the paper's COCO-Spatial (arXiv 2404.07449); the answer names the side
of the object that is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.asking import Asking

NAME = "spatial"
LEFT_RIGHT = "Which side of {a} is {b} located?", "The {b} is located to the {side} of {a}."
ABOVE_BELOW = "Is {b} above or below {a}?", "The {b} is located {side} {a}."

CLEAR = 0.1  # share of the width or height that the centers must differ by
MOST = 12  # instructions per picture


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """Pairs of single-instance objects, each asked in both orders, so that the words balance."""
    pairs = list(_pairs(image))
    kept = rng.sample(pairs, min(MOST // 2, len(pairs)))
    return [instruction for pair in kept for instruction in pair]


def _pairs(image: AnnotatedImage) -> Iterator[tuple[Instruction, Instruction]]:
    """Every clear relation of two objects, as one question about each of them."""
    for a, b in combinations(image.single_instances(), 2):
        p, q = a.box.center, b.box.center
        if abs(p.x - q.x) >= CLEAR * image.width:
            low, high = (a, b) if p.x < q.x else (b, a)
            yield _ask(LEFT_RIGHT, low, high, "left"), _ask(LEFT_RIGHT, high, low, "right")
        if abs(p.y - q.y) >= CLEAR * image.height:
            low, high = (a, b) if p.y < q.y else (b, a)  # y points down
            yield _ask(ABOVE_BELOW, low, high, "above"), _ask(ABOVE_BELOW, high, low, "below")


def _ask(templates: tuple[str, str], b: Object, a: Object, side: str) -> Instruction:
    """Where is `b`, seen from `a`?"""
    question, answer = templates
    names = {"a": a.category, "b": b.category}
    return Instruction(
        NAME,
        question.format(**names),
        answer.format(**names, side=side),
        evidence=(a.box, b.box),
    )
