"""NegPred (arXiv 2404.07449): asked where an absent thing is, the model says that it is not there.

Only categories that the data set annotates can be known to be absent.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import locpred
from locvlm.instructions.objectives.absence import draw_absent
from locvlm.instructions.objectives.base import Asking
from locvlm.instructions.objectives.image_batch import Batch, number_in_groups
from locvlm.instructions.objectives.random_draws import Draws
from locvlm.instructions.objectives.batch_draws import (draw_answers, draw_points, draw_prompts, of_one,)
from locvlm.instructions.instruction_columns import Questions

NAME = "negpred"
ANSWER = "There is no such object in the image"

_NOT_THERE = "no such object"  # however the sentence goes on

LEAST, MOST = 4, 8  # per picture; between them as many as LocPred asks, to keep the balance


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """Questions about different categories that are surely absent; a crowd is present."""
    return of_one(ask, image, asking, rng)


def ask(batch: Batch, asking: Asking, keys: NDArray[np.uint64]) -> Questions:
    """The same about many pictures."""
    singled_out = np.bincount(batch.owners[batch.nameable], minlength=len(batch))
    wanted = np.clip(singled_out, LEAST, MOST)
    pictures, names = draw_absent(batch, asking, wanted, keys)
    draws = Draws(keys[pictures], number_in_groups(pictures))
    shared = asking.templates.of(locpred.NAME, "prompts", locpred.PROMPTS)
    prompts = draw_prompts(asking.templates.of(NAME, "prompts", shared), draws)
    return Questions(
        NAME,
        pictures,
        prompts.filled_with(names, _name),
        draw_answers(asking.templates.of(NAME, "answers", (ANSWER,)), draws),
        names,
        draw_points(asking.kind, draws),
    )


def _name(template: str, category: str) -> str:
    return template.replace("{category}", category)


def says_absent(text: str) -> bool:
    """Whether an answer says that the thing is not there."""
    return _NOT_THERE in text.lower()
