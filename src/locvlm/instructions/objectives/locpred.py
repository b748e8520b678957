"""LocPred (arXiv 2404.07449): the model says where a thing is.

Only of categories with exactly one instance in the picture: "the dog" must mean one dog.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.places import Places, draw_kind, place

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


def make(
    image: AnnotatedImage, categories: Sequence[str], rng: random.Random, kind: Places
) -> list[Instruction]:
    """One question per single-instance object."""
    made = []
    for item in image.single_instances():
        question = rng.choice(PROMPTS).replace("{category}", item.category)
        drawn = draw_kind(kind, rng)
        made.append(Instruction(NAME, question, ANSWER, (place(item.box, drawn),), drawn))
    return made
