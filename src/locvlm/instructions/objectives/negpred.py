"""NegPred (arXiv 2404.07449): asked where an absent thing is, the model says that it is not there.

Only categories that the data set annotates can be known to be absent.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionColumns
from locvlm.instructions.objectives import locpred
from locvlm.instructions.objectives.absence import draw_absent
from locvlm.instructions.objectives.base import QuestionContext
from locvlm.instructions.objectives.batch_draws import (
    ask_about_one,
    draw_answers,
    draw_points,
    draw_prompts,
)
from locvlm.instructions.objectives.image_batch import ImageBatch, number_in_groups
from locvlm.instructions.objectives.random_draws import Draws

NAME = "negpred"
ANSWER = "There is no such object in the image"

_ABSENCE = "no such object"  # however the sentence goes on

LEAST, MOST = 4, 8  # per picture; between them as many as LocPred asks, to keep the balance


def make(image: AnnotatedImage, asking: QuestionContext, rng: random.Random) -> list[Instruction]:
    """Questions about different categories that are surely absent; a crowd is present."""
    return ask_about_one(ask, image, asking, rng)


def ask(batch: ImageBatch, asking: QuestionContext, keys: NDArray[np.uint64]) -> InstructionColumns:
    """The same about many pictures."""
    singled_out = np.bincount(batch.owners[batch.nameable], minlength=len(batch))
    wanted = np.clip(singled_out, LEAST, MOST)
    pictures, names = draw_absent(batch, asking, wanted, keys)
    draws = Draws(keys[pictures], number_in_groups(pictures))
    shared = asking.templates.of(locpred.NAME, "prompts", locpred.PROMPTS)
    prompts = draw_prompts(asking.templates.of(NAME, "prompts", shared), draws)
    return InstructionColumns(
        NAME,
        pictures,
        prompts.filled_with(names, _fill_name),
        draw_answers(asking.templates.of(NAME, "answers", (ANSWER,)), draws),
        names,
        draw_points(asking.kind, draws),
    )


def _fill_name(template: str, category: str) -> str:
    return template.replace("{category}", category)


def says_absent(text: str) -> bool:
    """Whether an answer says that the thing is not there."""
    return _ABSENCE in text.lower()
