"""Questions about what lies outside of what a model sees of a picture: not asked, and counted.

A model whose processor crops cannot answer them, whatever it has learned. The rule is that of
training (`instructions.visible`): at least half of a box must be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.metrics.side_words import WORDS
from locvlm.evaluation.metrics.yes_no import CHOICES
from locvlm.evaluation.task import Question
from locvlm.geometry import Box
from locvlm.instructions.objectives import spatial
from locvlm.instructions.visible import UNSEEN_QUESTIONS, is_seen, is_visible

_AXES = {name: axis for axis, name in enumerate(WORDS)}  # 0: of x, 1: of y


def find_unseen(predictor: Any, questions: Iterable[Question]) -> list[str]:
    """The ids of the questions that the model cannot see the answers of, in their order.

    Only of a model that tells what it sees, and of questions with boxes: in their text or answer,
    or of the things that they are about.
    """
    asked = [item for item in questions if item.size is not None and _has_boxes(item)]
    if not asked or not hasattr(predictor, "field_of_view"):
        return []
    view = predictor.field_of_view(item.size for item in asked)
    if view.sees_all:
        return []
    return [
        item.id
        for item in asked
        if item.size and (part := view.part(item.size)) and not _can_be_answered(item, part)
    ]


def leave_out(
    groups: Iterable[list[Question]], unseen: Collection[str], source: str
) -> list[list[Question]]:
    """The groups of questions without some, by id. Raises InputError where nothing is left."""
    gone, groups = set(unseen), list(groups)
    left = [[item for item in group if item.id not in gone] for group in groups] if gone else groups
    if not any(left):
        raise InputError(
            f"{source}: all are {UNSEEN_QUESTIONS}: {len(gone)}; ask them all the same with "
            "--ask-unseen, or train a model with whole_images: true"
        )
    return [group for group in left if group]


def count_unseen(unseen: Collection[str]) -> dict[str, int]:
    """For the counts of what was skipped."""
    return {UNSEEN_QUESTIONS: len(unseen)} if unseen else {}


def _has_boxes(question: Question) -> bool:
    return bool(question.instruction.locations or question.marks)


def _can_be_answered(question: Question, part: Box) -> bool:
    """Whether what a question is about is seen: "yes" needs one of the things, all others all.

    One of them is enough, too, where any of several true places is right.
    """
    places = question.instruction.locations
    one_of_many = len(question.marks) > len(places) > 0
    if places and not one_of_many:
        return is_visible(question.instruction, part)
    boxes = [Box(*mark.coords) for mark in question.marks if len(mark.coords) == 4]
    seen = [is_seen(box, part) for box in boxes]
    if question.choices == CHOICES or one_of_many:
        return any(seen)
    axis = _AXES.get(question.meta.get("axis", ""))
    if axis is None or len(boxes) != 2:
        return all(seen)
    return all(seen) and spatial.keeps_order((boxes[0], boxes[1]), part, axis)
