"""LocPred (arXiv 2404.07449): the model says where a thing is.

Only of categories with exactly one instance in the picture: "the dog" must mean one dog. An object
with a description is asked for by that, and need not be the only one of its category.
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
from locvlm.instructions.objectives.remainder import (
    OBJECTS,
    SEVERAL,
    UNDESCRIBED,
    Reason,
    Remainder,
    count_in,
)
from locvlm.instructions.templates import TemplateRule

NAME = "locpred"

# NegPred asks with the same ones, so that the prompt gives nothing away. Printed as in the paper,
# with its doubled "the".
PROMPTS = (
    "Where is the object described {category} located in image in terms of {repr}?",
    "What is the location of object described {category} in terms of {repr}?",
    "Localize the object described {category} in terms of {repr}?",
    "Provide a {repr} for the the object described {category}?",
    "Generate a {repr} for the the object described {category}?",
)
ANSWER = "It is located at {loc}"
INEXHAUSTIVE = Reason(OBJECTS, "not all of their kind in the picture have a box")


def ask_batch(
    batch: ImageBatch, context: QuestionContext, keys: NDArray[np.uint64]
) -> InstructionColumns:
    """One question per object that its category or a description singles out."""
    rows = context.objects_to_locate(batch)
    images = batch.image_index[rows]
    draws = Draws(keys[images], batch.object_numbers[rows])
    prompts = draw_prompts(context.templates.of(NAME, "prompts", PROMPTS), draws)
    phrases = draw_phrases(batch, rows, batch.own_descriptions, draws)
    return InstructionColumns(
        NAME,
        images,
        prompts.combine(phrases, fill_category),
        draw_answers(context.templates.of(NAME, "answers", (ANSWER,)), draws),
        batch.categories_of(rows),
        draw_points(context.location, draws),
        batch.objects.boxes[rows],
    )


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Of the objects that are no crowds, those that nothing singles out."""
    among, left = ~batch.objects.crowds, np.ones(len(batch.objects.crowds), np.bool_)
    left[context.objects_to_locate(batch)] = False
    if context.described_only:
        return count_in(UNDESCRIBED, left, among)
    unsure = batch.kind_inexhaustive
    return {
        **count_in(SEVERAL, left & ~unsure, among),
        **count_in(INEXHAUSTIVE, left & unsure, among),
    }


OBJECTIVE = Objective(
    name=NAME,
    ask_batch=ask_batch,
    count_left_out=count_left_out,
    template_rules={
        "prompts": TemplateRule(("{category}",), ("{repr}",)),
        "answers": TemplateRule(("{loc}",)),
    },
)
