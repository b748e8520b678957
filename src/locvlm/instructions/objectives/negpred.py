"""NegPred (arXiv 2404.07449): asked where an absent thing is, the model says that it is not there.

Only categories that the data set annotates can be known to be absent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from locvlm.instructions.instruction_columns import InstructionColumns, InstructionGroup
from locvlm.instructions.objectives import locpred
from locvlm.instructions.objectives.absence import draw_absent
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.batch_draws import draw_answers, draw_points, draw_prompts
from locvlm.instructions.objectives.image_batch import ImageBatch, number_in_groups
from locvlm.instructions.objectives.random_draws import Draws
from locvlm.instructions.objectives.remainder import IMAGES, Reason, Remainder, count_in
from locvlm.instructions.templates import TemplateRule

NAME = "negpred"
ANSWER = "There is no such object in the image"

_ABSENCE = "no such object"  # however the sentence goes on


def ask_batch(
    batch: ImageBatch, context: QuestionContext, keys: NDArray[np.uint64]
) -> InstructionColumns:
    """Questions about different categories that are surely absent; a crowd is present."""
    images, names = draw_absent(batch, context, _count_wanted(batch, context), keys)
    draws = Draws(keys[images], number_in_groups(images))
    shared = context.templates.of(locpred.NAME, "prompts", locpred.PROMPTS)
    prompts = draw_prompts(context.templates.of(NAME, "prompts", shared), draws)
    return InstructionColumns(
        NAME,
        images,
        prompts.combine(names, _fill_name),
        draw_answers(context.templates.of(NAME, "answers", (ANSWER,)), draws),
        names,
        draw_points(context.location, draws),
    )


def _count_wanted(batch: ImageBatch, context: QuestionContext) -> NDArray[np.int64]:
    """(N,): how many absent categories are asked about in each picture, if there are as many."""
    located = batch.image_index[context.objects_to_locate(batch)]
    return np.clip(np.bincount(located, minlength=len(batch)), *context.absences)


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Pictures with no category that is surely absent, or with few of them."""
    found = np.bincount(asked.image_index, minlength=len(batch))
    few, every = found < _count_wanted(batch, context), np.ones(len(batch), np.bool_)
    none = Reason(IMAGES, "no category is surely absent from them")
    fewer = Reason(IMAGES, "asked less, since too few categories are absent from them")
    return {**count_in(none, found == 0, every), **count_in(fewer, few & (found > 0), every)}


def _fill_name(template: str, category: str) -> str:
    return template.replace("{category}", category)


def says_absent(text: str) -> bool:
    """Whether an answer says that the thing is not there."""
    return _ABSENCE in text.lower()


OBJECTIVE = Objective(
    name=NAME,
    ask_batch=ask_batch,
    count_left_out=count_left_out,
    template_rules={
        "prompts": TemplateRule(("{category}",), ("{repr}",)),
        "answers": TemplateRule(),
    },
)
