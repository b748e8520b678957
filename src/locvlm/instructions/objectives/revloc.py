"""RevLoc (arXiv 2404.07449), the reverse of LocPred: the model says what is at a location.

The thing is called by its category, or by a description of its own where it has one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locvlm.instructions.instruction_columns import InstructionColumns, InstructionGroup
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.batch_draws import (
    draw_answers,
    draw_phrases,
    draw_points,
    draw_prompts,
)
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.phrases import fill_category
from locvlm.instructions.objectives.random_draws import Draws
from locvlm.instructions.objectives.remainder import OBJECTS, Reason, Remainder, count_in
from locvlm.instructions.templates import TemplateRule

NAME = "revloc"
PROMPTS = (
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
)
ANSWER = "There is a {category}."  # the paper's; "an" where it is (see `phrases`)


def ask_batch(
    batch: ImageBatch, context: QuestionContext, keys: NDArray[np.uint64]
) -> InstructionColumns:
    """One question per object that is no crowd."""
    rows = context.objects_to_name(batch)
    images = batch.image_index[rows]
    draws = Draws(keys[images], batch.object_numbers[rows])
    answers = draw_answers(context.templates.of(NAME, "answers", (ANSWER,)), draws)
    phrases = draw_phrases(batch, rows, batch.objects.descriptions, draws)
    return InstructionColumns(
        NAME,
        images,
        draw_prompts(context.templates.of(NAME, "prompts", PROMPTS), draws),
        answers.combine(phrases, fill_category),
        batch.categories_of(rows),
        draw_points(context.location, draws),
        batch.objects.boxes[rows],
    )


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Of the objects that are no crowds, those without a description where they need one."""
    among, left = ~batch.objects.crowds, np.ones(len(batch.objects.crowds), np.bool_)
    left[context.objects_to_name(batch)] = False
    return count_in(Reason(OBJECTS, "they have no description"), left, among)


OBJECTIVE = Objective(
    name=NAME,
    ask_batch=ask_batch,
    count_left_out=count_left_out,
    template_rules={
        "prompts": TemplateRule(("{loc}",), ("{repr}",)),
        "answers": TemplateRule(("{category}",)),
    },
)
