"""NegPred (arXiv 2404.07449): asked where an absent thing is, the model says that it is not there.

Only categories that the data set annotates can be known to be absent.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.locpred import PROMPTS
from locvlm.instructions.objectives.places import Places, draw_kind

NAME = "negpred"
ANSWER = "There is no such object in the image"

LEAST, MOST = 4, 8  # per picture; between them as many as LocPred asks, to keep the balance


def make(
    image: AnnotatedImage, categories: Sequence[str], rng: random.Random, kind: Places
) -> list[Instruction]:
    """Questions about different categories that are surely absent; a crowd is present."""
    absent = image.absent_of(categories)
    wanted = min(max(LEAST, len(image.single_instances())), MOST)
    made = []
    for name in rng.sample(absent, min(wanted, len(absent))):
        question = rng.choice(PROMPTS).replace("{category}", name)
        made.append(Instruction(NAME, question, ANSWER, kind=draw_kind(kind, rng)))
    return made
