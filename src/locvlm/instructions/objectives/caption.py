"""A sentence about the whole picture, from its captions."""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.base import Objective, QuestionContext
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


OBJECTIVE = Objective(
    name=NAME,
    ask_image=ask_image,
    template_rules={"prompts": TemplateRule()},
    needs_captions=True,
)
