"""Presence: is it there, and where? LocPred and NegPred in the form of a yes-no question.

Not one of the paper's three objectives: a large language model carries what NegPred teaches over
to plain yes-no questions, a small one has to be shown the form.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import numpy as np

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionGroup
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.location_choice import draw_kind, location_of
from locvlm.instructions.objectives.remainder import Reason, Remainder, Share
from locvlm.instructions.templates import TemplateRule, draw_template

NAME = "presence"
PROMPTS = (
    "Is there {category} in the picture, and where?",
    "Does the picture show {category}? If so, where?",
    "Can you see {category}, and where is it?",
)
PRESENT = "Yes, it is located at {loc}"
ABSENT = "No, there is no such object in the image"
MOST = 4  # present categories asked about per picture, and as many absent ones


_NO = re.compile(r"\b(?:no|nope|none|not|cannot)\b|n['’]t\b", re.IGNORECASE)


def says_no(answer: str) -> bool:
    """Whether there is a "no", "nope", "none", "not", "cannot" or "…n't" in it.

    >>> says_no("No, there is no such object"), says_no("Yes, it is located at (1,2,3,4)")
    (True, False)
    """
    return _NO.search(answer) is not None


def ask_image(
    image: AnnotatedImage, context: QuestionContext, rng: random.Random
) -> list[Instruction]:
    """As many present as absent categories; of several instances the largest is located.

    A category with a crowd, or with things that have no box, is not asked about: which of its
    things is the largest is not known.
    """
    crowds = {item.category for item in image.objects if item.crowd}.union(image.not_exhaustive)
    largest = {
        item.category: item
        for item in sorted(image.objects, key=lambda item: item.box.area)
        if item.category not in crowds
    }
    absent = image.absent_of(context.can_be_absent)
    count = min(MOST, len(largest), len(absent))
    yes = context.templates.of(NAME, "answers", (PRESENT,))
    no = context.templates.of(NAME, "absent", (ABSENT,))
    prompts = context.templates.of(NAME, "prompts", PROMPTS)
    instructions = []
    for name in rng.sample(sorted(largest), count):
        kind = draw_kind(context.location, rng)
        evidence = tuple(item.box for item in image.objects if item.category == name)
        locations = (location_of(largest[name].box, kind),)
        question, answer = _draw_question(prompts, name, rng), draw_template(yes, rng)
        instructions.append(
            Instruction(NAME, question, answer, locations, kind, evidence, category=name)
        )
    for name in context.negatives.choose(absent, image, count, rng):
        question, kind = _draw_question(prompts, name, rng), draw_kind(context.location, rng)
        answer = draw_template(no, rng)
        instructions.append(Instruction(NAME, question, answer, kind=kind, category=name))
    return instructions


def _draw_question(prompts: Sequence[str], category: str, rng: random.Random) -> str:
    return rng.choice(prompts).replace("{category}", category)


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Of the kinds of thing in each picture, those that are not asked about."""
    total = len(np.unique(batch.kinds))
    unsure = len(np.unique(batch.kinds[batch.kind_uncounted]))
    present = sum(bool(item.locations) for item in asked.to_list())
    what = "kinds of thing in a picture"
    few = Reason(what, f"a picture is asked about {MOST}, and about no more than are absent")
    return {
        Reason(what, "they have a crowd or things without a box"): Share(unsure, total),
        few: Share(total - unsure - present, total),
    }


OBJECTIVE = Objective(
    name=NAME,
    ask_image=ask_image,
    count_left_out=count_left_out,
    template_rules={
        "prompts": TemplateRule(("{category}",), ("{repr}",)),
        "answers": TemplateRule(("{loc}",)),
        "absent": TemplateRule(),
    },
)
