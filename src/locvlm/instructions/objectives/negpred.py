"""NegPred (arXiv 2404.07449): asked where an absent thing is, the model says that it is not there.

Only categories that the data set annotates can be known to be absent.
"""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import locpred
from locvlm.instructions.objectives.asking import Asking
from locvlm.instructions.objectives.phrases import nameable
from locvlm.instructions.objectives.places import draw_kind
from locvlm.instructions.templates import draw

NAME = "negpred"
ANSWER = "There is no such object in the image"

_NOT_THERE = "no such object"  # however the sentence goes on

LEAST, MOST = 4, 8  # per picture; between them as many as LocPred asks, to keep the balance


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """Questions about different categories that are surely absent; a crowd is present."""
    absent = image.absent_of(asking.categories)
    wanted = min(max(LEAST, len(nameable(image))), MOST)
    shared = asking.templates.of(locpred.NAME, "prompts", locpred.PROMPTS)
    prompts = asking.templates.of(NAME, "prompts", shared)
    answers = asking.templates.of(NAME, "answers", (ANSWER,))
    made = []
    for name in asking.negatives.choose(absent, image, wanted, rng):
        question = rng.choice(prompts).replace("{category}", name)
        drawn = draw_kind(asking.kind, rng)
        made.append(Instruction(NAME, question, draw(answers, rng), kind=drawn, category=name))
    return made


def says_absent(text: str) -> bool:
    """Whether an answer says that the thing is not there."""
    return _NOT_THERE in text.lower()
