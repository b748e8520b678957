"""A sentence about the whole picture, from its captions."""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionGroup
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.remainder import (
    IMAGES,
    Reason,
    Remainder,
    Share,
    count_others,
)
from locvlm.instructions.templates import TemplateRule

NAME = "caption"
PROMPTS = (
    "Describe the image briefly.",
    "What does this picture show?",
    "Give a short caption for the image.",
    "Summarize the picture in one sentence.",
)
MOST = 5  # captions per picture, the first in the file


def ask_image(
    image: AnnotatedImage, context: QuestionContext, rng: random.Random
) -> list[Instruction]:
    """One question per caption; none where the picture has no captions."""
    prompts = context.templates.of(NAME, "prompts", PROMPTS)
    return [Instruction(NAME, rng.choice(prompts), text) for text in image.captions[:MOST]]


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Pictures without captions, and captions beyond the first of a picture."""
    total = sum(len(image.captions) for image in batch.images.bare)
    beyond = Reason("captions", f"their picture has {MOST} before them")
    without = Reason(IMAGES, "they have no caption")
    return {
        **count_others(without, asked.image_index, len(batch)),
        beyond: Share(total - len(asked), total),
    }


OBJECTIVE = Objective(
    name=NAME,
    ask_image=ask_image,
    count_left_out=count_left_out,
    template_rules={"prompts": TemplateRule()},
    needs_captions=True,
)
