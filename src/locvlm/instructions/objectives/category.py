"""Which things are in the picture, without saying where."""

from __future__ import annotations

import random

import numpy as np

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionGroup
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.remainder import IMAGES, Reason, Remainder, Share
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


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Pictures without an object, and those where the list would not hold all."""
    total, empty = len(batch), len(batch) - len(np.unique(batch.image_index))
    unsure = Reason(IMAGES, "not everything in them was looked for, or has a box")
    return {
        Reason(IMAGES, "they have no object"): Share(empty, total),
        unsure: Share(total - empty - len(asked), total),
    }


OBJECTIVE = Objective(
    name=NAME,
    ask_image=ask_image,
    count_left_out=count_left_out,
    template_rules={"prompts": TemplateRule()},
)
