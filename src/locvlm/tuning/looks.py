"""Looks at held-out photos that keep to their share of the time, also in a short training.

The least look that says something, thrice (before, after, and at photos that were learned from),
takes longer than many a short training: then there is none. The proof looks at them anyway.
"""

from __future__ import annotations

import math

from msgspec.structs import replace

from locvlm.training.recipe import Recipe, Stage, Validation
from locvlm.training.validation.schedule import LEAST, make_schedule
from locvlm.tuning.budget import QuestionChunk
from locvlm.tuning.recipes import STAGE
from locvlm.tuning.timing import stage_key, task_key

FORWARD = 0.5  # of a visit: the loss of a photo needs no backward pass
ASKED = ("locate", "hal-coco")  # tasks that ask as a look does: where something is, and whether


def fit_looks(
    recipe: Recipe,
    steps: int,
    times: dict[str, float],
    first: dict[str, QuestionChunk],
) -> Validation | bool:
    """How a training of the recipe that was made looks at held-out photos; False: it does not.

    Args:
        recipe: with one stage.
        steps: of it.
        times: seconds, by what was timed.
        first: task -> what was asked to time it.
    """
    if recipe.looks is None:
        return False
    stage, visit = replace(recipe.stages[STAGE], steps=steps), times[stage_key(STAGE)]
    question = sum(
        times[task_key(task)] / first[task].questions if task in first else FORWARD * visit
        for task in ASKED
    )
    share = recipe.looks.share
    fewer = replace(recipe.looks, share=share / 2)
    loss_alone = replace(recipe.looks, images=LEAST, questions=0, steps=steps)
    for looks in (recipe.looks, fewer, loss_alone):
        seconds = _seconds(stage, looks, FORWARD * visit, question)
        if seconds <= share * steps * stage.images * visit:
            return looks
    return False


def _seconds(stage: Stage, looks: Validation, image: float, question: float) -> float:
    """Of all looks, with the first one and that at what was learned from."""
    made = make_schedule(stage, looks)
    count = math.ceil(made.total / made.every) + 2
    return count * (made.images * image + made.questions * question)
