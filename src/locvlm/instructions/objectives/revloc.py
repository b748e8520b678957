"""RevLoc (arXiv 2404.07449), the reverse of LocPred: the model says what is at a location.

The thing is called by its category, or by a description of its own where it has one.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives.base import Asking
from locvlm.instructions.objectives.image_batch import Batch
from locvlm.instructions.objectives.random_draws import Draws
from locvlm.instructions.objectives.batch_draws import (draw_answers, draw_phrases, draw_points, draw_prompts, of_one,)
from locvlm.instructions.objectives.phrases import fill
from locvlm.instructions.instruction_columns import Questions

NAME = "revloc"
PROMPTS = (
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
)
ANSWER = "There is a {category}."  # the paper's: "a" before any category


def make(image: AnnotatedImage, asking: Asking, rng: random.Random) -> list[Instruction]:
    """One question per object that is no crowd."""
    return of_one(ask, image, asking, rng)


def ask(batch: Batch, asking: Asking, keys: NDArray[np.uint64]) -> Questions:
    """The same about many pictures."""
    rows = np.flatnonzero(~batch.objects.crowds)
    pictures = batch.owners[rows]
    draws = Draws(keys[pictures], batch.numbers[rows])
    answers = draw_answers(asking.templates.of(NAME, "answers", (ANSWER,)), draws)
    phrases = draw_phrases(batch, rows, batch.objects.descriptions, draws)
    return Questions(
        NAME,
        pictures,
        draw_prompts(asking.templates.of(NAME, "prompts", PROMPTS), draws),
        answers.filled_with(phrases, fill),
        batch.categories_of(rows),
        draw_points(asking.kind, draws),
        batch.objects.boxes[rows],
    )
