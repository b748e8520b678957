"""RevLoc (arXiv 2404.07449), the reverse of LocPred: the model says what is at a location."""

from __future__ import annotations

import random
from collections.abc import Sequence

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.places import Places, draw_kind, place

NAME = "revloc"
PROMPTS = (
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
)
ANSWER = "There is a {category}."  # the paper's: "a" before any category


def make(
    image: AnnotatedImage, categories: Sequence[str], rng: random.Random, kind: Places
) -> list[Instruction]:
    """One question per object that is no crowd."""
    made = []
    for item in image.objects:
        if item.crowd:
            continue
        question = rng.choice(PROMPTS)
        answer = ANSWER.replace("{category}", item.category)
        drawn = draw_kind(kind, rng)
        made.append(Instruction(NAME, question, answer, (place(item.box, drawn),), drawn))
    return made
