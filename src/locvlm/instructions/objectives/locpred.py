"""LocPred (arXiv 2404.07449): the model says where a thing is.

Only of categories with exactly one instance in the picture: "the dog" must mean one dog. An object
with a description is asked for by that, and need not be the only one of its category.
"""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.asking import Asking
from locvlm.instructions.objectives.phrases import fill, nameable, phrase
from locvlm.instructions.objectives.places import draw_kind, place
from locvlm.instructions.templates import draw

NAME = "locpred"

# NegPred asks with the same ones, so that the prompt gives nothing away. Printed as in the paper,
# with its doubled "the".
PROMPTS = (
    "Where is the object described {category} located in image in terms of {repr}?",
    "What is the location of object described {category} in terms of {repr}?",
    "Localize the object described {category} in terms of {repr}?",
    "Provide a {repr} for the the object described {category}?",
    "Generate a {repr} for the the object described {category}?",
)
ANSWER = "It is located at {loc}"


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """One question per object that its category or a description singles out."""
    prompts = asking.templates.of(NAME, "prompts", PROMPTS)
    answers = asking.templates.of(NAME, "answers", (ANSWER,))
    made = []
    for item in nameable(image):
        question = fill(rng.choice(prompts), phrase(item, rng))
        drawn = draw_kind(asking.kind, rng)
        where = (place(item.box, drawn),)
        made.append(
            Instruction(NAME, question, draw(answers, rng), where, drawn, category=item.category)
        )
    return made
