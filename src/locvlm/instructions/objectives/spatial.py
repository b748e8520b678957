"""Spatial: relations in words, no coordinates, by the geometry of the boxes.

Left and right are the picture's, as its viewer sees them, not those of a thing that faces the
viewer; above and below are up and down in the picture. The questions on sides are those of the
paper's COCO-Spatial (arXiv 2404.07449); the answer names the side of the object that is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import chain, combinations

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box, coords_of
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionGroup
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.remainder import IMAGES, Reason, Remainder, count_others

NAME = "spatial"
LEFT_RIGHT = "Which side of {a} is {b} located?", "The {b} is located to the {side} of {a}."
ABOVE_BELOW = "Is {b} above or below {a}?", "The {b} is located {side} {a}."
EDGE = (
    "Which is nearer to the {side} edge of the picture, {a} or {b}?",
    "The {c} is nearer to the {side} edge.",
)
COUNT = "How many objects described {category} are in the picture?", "{count}"

CLEAR = 0.1  # share of the width or height that centers, or distances to an edge, must differ by
MOST = 12  # instructions per picture about sides, as many about edges and about counts
MOST_COUNTED = 9  # instances


def ask_image(
    image: AnnotatedImage, context: QuestionContext, rng: random.Random
) -> list[Instruction]:
    """Of each relation that is asked for: sides, nearness to an edge, how many.

    Sides and edges are asked of single-instance objects, each pair in both orders, so that the
    words balance; counts of categories without crowds.
    """
    sides = _sample(_side_questions(image, context.relations), MOST // 2, rng)
    edges = _sample(_edge_questions(image), MOST // 2, rng) if "edge" in context.relations else ()
    counts = _sample(_count_questions(image), MOST, rng) if "count" in context.relations else ()
    return list(chain(*sides, *edges, *counts))


def _sample(
    groups: Iterable[tuple[Instruction, ...]], most: int, rng: random.Random
) -> list[tuple[Instruction, ...]]:
    questions = list(groups)
    return rng.sample(questions, min(most, len(questions)))


def _side_questions(
    image: AnnotatedImage, relations: Iterable[str]
) -> Iterator[tuple[Instruction, Instruction]]:
    """Every clear relation of two objects, as one question about each of them."""
    for a, b in combinations(image.single_instances(), 2):
        p, q = a.box.center, b.box.center
        if "left-right" in relations and abs(p.x - q.x) >= CLEAR * image.width:
            low, high = (a, b) if p.x < q.x else (b, a)
            yield (
                _ask_side(LEFT_RIGHT, low, high, "left"),
                _ask_side(LEFT_RIGHT, high, low, "right"),
            )
        if "above-below" in relations and abs(p.y - q.y) >= CLEAR * image.height:
            low, high = (a, b) if p.y < q.y else (b, a)  # y points down
            yield (
                _ask_side(ABOVE_BELOW, low, high, "above"),
                _ask_side(ABOVE_BELOW, high, low, "below"),
            )


def _ask_side(templates: tuple[str, str], b: Object, a: Object, side: str) -> Instruction:
    """Where is `b`, seen from `a`?"""
    question, answer = (text.format(a=a.category, b=b.category, side=side) for text in templates)
    return Instruction(NAME, question, answer, evidence=(a.box, b.box), category=b.category)


def _edge_questions(image: AnnotatedImage) -> Iterator[tuple[Instruction, Instruction]]:
    """Which of two objects is clearly nearer to an edge, named in both orders."""
    for a, b in combinations(image.single_instances(), 2):
        far = _edge_distances(b.box, image)
        for side, distance in _edge_distances(a.box, image).items():
            length = image.width if side in ("left", "right") else image.height
            if abs(distance - far[side]) >= CLEAR * length:
                nearer = a if distance < far[side] else b
                yield _ask_edge(a, b, nearer, side), _ask_edge(b, a, nearer, side)


def _edge_distances(box: Box, image: AnnotatedImage) -> dict[str, float]:
    """Pixels between each edge of the picture and the nearest side of the box."""
    return {
        "left": box.x1,
        "right": image.width - box.x2,
        "top": box.y1,
        "bottom": image.height - box.y2,
    }


def _ask_edge(a: Object, b: Object, nearer: Object, side: str) -> Instruction:
    question, answer = (
        text.format(a=a.category, b=b.category, c=nearer.category, side=side) for text in EDGE
    )
    return Instruction(NAME, question, answer, evidence=(a.box, b.box), category=nearer.category)


def _count_questions(image: AnnotatedImage) -> Iterator[tuple[Instruction]]:
    """How many there are of each category, where that is known."""
    question, answer = COUNT
    for name, items in image.instances().items():
        if len(items) <= MOST_COUNTED:
            texts = question.format(category=name), answer.format(count=len(items))
            boxes = tuple(item.box for item in items)
            yield (Instruction(NAME, *texts, evidence=boxes, category=name),)


def still_holds(item: Instruction, part: Box) -> bool:
    """Whether an answer about sides or edges is true of what is seen of both objects.

    A crop moves the center of what it cuts, and the edge of the picture. Counts always hold.

    Args:
        item: a question of this objective.
        part: of the picture, that is seen; original pixels.
    """
    boxes = [each for each in item.evidence if isinstance(each, Box)]
    if item.question.startswith(_beginning(EDGE[0])):
        return all(box.within(part) == box for box in boxes)
    for axis, (question, _) in enumerate((LEFT_RIGHT, ABOVE_BELOW)):
        if item.question.startswith(_beginning(question)) and len(boxes) == 2:
            return keeps_order((boxes[0], boxes[1]), part, axis)
    return True


def keeps_order(boxes: tuple[Box, Box], part: Box, axis: int) -> bool:
    """Whether the centers of two boxes come in the same order where only `part` is seen of them.

    Args:
        boxes: original pixels.
        part: likewise.
        axis: 0: from left to right, 1: from top to bottom.
    """
    p, q = (coords_of(box.center)[axis] for box in boxes)
    u, v = (coords_of(box.within(part).center)[axis] for box in boxes)
    return (p - q) * (u - v) > 0


def _beginning(template: str) -> str:
    """By which its questions are known again."""
    return template.partition("{")[0]


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Pictures without a question."""
    why = "they have no two things, each the only one of its kind, that stand clearly apart"
    if "count" in context.relations:
        why = "they have nothing to count, and no two single things clearly apart"
    return count_others(Reason(IMAGES, why), asked.image_index, len(batch))


OBJECTIVE = Objective(name=NAME, ask_image=ask_image, count_left_out=count_left_out)
