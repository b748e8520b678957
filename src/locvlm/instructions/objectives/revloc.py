"""RevLoc (arXiv 2404.07449), the reverse of LocPred: the model says what is at a location.

The thing is called by its category, or by a description of its own where it has one.
"""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.asking import Asking
from locvlm.instructions.objectives.phrases import fill, phrase
from locvlm.instructions.objectives.places import draw_kind, place
from locvlm.instructions.templates import draw

NAME = "revloc"
PROMPTS = (
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
)
ANSWER = "There is a {category}."  # the paper's: "a" before any category


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """One question per object that is no crowd."""
    prompts = asking.templates.of(NAME, "prompts", PROMPTS)
    answers = asking.templates.of(NAME, "answers", (ANSWER,))
    made = []
    for item in image.objects:
        if item.crowd:
            continue
        question = rng.choice(prompts)
        answer = fill(draw(answers, rng), phrase(item, rng))
        drawn = draw_kind(asking.kind, rng)
        where = (place(item.box, drawn),)
        made.append(Instruction(NAME, question, answer, where, drawn, category=item.category))
    return made
