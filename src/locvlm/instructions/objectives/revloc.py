"""RevLoc (arXiv 2404.07449), the reverse of LocPred: the model says what is at a location.

The thing is called by its category, or by a description of its own where it has one.
"""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction
from locvlm.instructions.instruction_columns import InstructionColumns
from locvlm.instructions.objectives.base import QuestionContext
from locvlm.instructions.objectives.batch_draws import (
    ask_about_one,
    draw_answers,
    draw_phrases,
    draw_points,
    draw_prompts,
)
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.phrases import fill_category
from locvlm.instructions.objectives.random_draws import Draws

NAME = "revloc"
PROMPTS = (
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
)
ANSWER = "There is a {category}."  # the paper's: "a" before any category


def make(image: AnnotatedImage, asking: QuestionContext, rng: random.Random) -> list[Instruction]:
    """One question per object that is no crowd."""
    return ask_about_one(ask, image, asking, rng)


def ask(batch: ImageBatch, asking: QuestionContext, keys: NDArray[np.uint64]) -> InstructionColumns:
    """The same about many pictures."""
    rows = np.flatnonzero(~batch.objects.crowds)
    pictures = batch.owners[rows]
    draws = Draws(keys[pictures], batch.numbers[rows])
    answers = draw_answers(asking.templates.of(NAME, "answers", (ANSWER,)), draws)
    phrases = draw_phrases(batch, rows, batch.objects.descriptions, draws)
    return InstructionColumns(
        NAME,
        pictures,
        draw_prompts(asking.templates.of(NAME, "prompts", PROMPTS), draws),
        answers.filled_with(phrases, fill_category),
        batch.categories_of(rows),
        draw_points(asking.kind, draws),
        batch.objects.boxes[rows],
    )
