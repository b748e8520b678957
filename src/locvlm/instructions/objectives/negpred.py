"""NegPred (arXiv 2404.07449): asked where an absent thing is, the model says that it is not there.

Only categories that the data set annotates can be known to be absent.
"""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.asking import Asking
from locvlm.instructions.objectives.locpred import PROMPTS
from locvlm.instructions.objectives.phrases import nameable
from locvlm.instructions.objectives.places import draw_kind

NAME = "negpred"
ANSWER = "There is no such object in the image"

LEAST, MOST = 4, 8  # per picture; between them as many as LocPred asks, to keep the balance


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """Questions about different categories that are surely absent; a crowd is present."""
    absent = image.absent_of(asking.categories)
    wanted = min(max(LEAST, len(nameable(image))), MOST)
    made = []
    for name in asking.negatives.choose(absent, image, wanted, rng):
        question = rng.choice(PROMPTS).replace("{category}", name)
        drawn = draw_kind(asking.kind, rng)
        made.append(Instruction(NAME, question, ANSWER, kind=drawn, category=name))
    return made
