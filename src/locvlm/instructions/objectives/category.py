"""Which things are in the picture, without saying where."""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.templates import TemplateRule, draw_template

NAME = "category"
PROMPT = "What objects are in this image?"


def ask_image(
    image: AnnotatedImage, context: QuestionContext, rng: random.Random
) -> list[Instruction]:
    """One question, answered "dog, chair, person": the category of the largest box first.

    None where not everything was looked for, or something is there that no box shows: the list
    would not hold all.
    """
    by_size = sorted(image.objects, key=lambda item: item.box.area, reverse=True)
    present = dict.fromkeys(item.category for item in by_size)
    complete = image.absent is None and present.keys() >= set(image.not_exhaustive)
    if not present or not complete:
        return []
    prompts = context.templates.of(NAME, "prompts", (PROMPT,))
    return [Instruction(NAME, draw_template(prompts, rng), ", ".join(present))]


OBJECTIVE = Objective(name=NAME, ask_image=ask_image, template_rules={"prompts": TemplateRule()})
