"""Looks keep to their share, however short the training."""

import pytest
from msgspec.structs import replace

from locvlm.training.recipe import Recipe, Stage, Validation
from locvlm.training.validation.schedule import LEAST
from locvlm.tuning.budget import QuestionChunk
from locvlm.tuning.looks import fit_looks
from locvlm.tuning.recipes import STAGE
from locvlm.tuning.timing import stage_key, task_key

RECIPE = Recipe(
    data=(),
    out="",
    stages={STAGE: Stage(trains="lora", images=4, questions={"locpred": 1})},
    validation=Validation(keep="last"),
)
FIRST = {task: QuestionChunk(10, 4) for task in ("locate", "hal-coco")}


def looks(steps: int, question: float = 0.4) -> Validation | bool:
    times = {stage_key(STAGE): 1.0, **{task_key(task): 10 * question for task in FIRST}}
    return fit_looks(RECIPE, steps, times, FIRST)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (4, False),
        (16, replace(RECIPE.looks, images=LEAST, questions=0, steps=16)),  # type: ignore[type-var]
        (40, replace(RECIPE.looks, share=0.05)),  # type: ignore[type-var]
        (2000, replace(RECIPE.looks, share=0.05)),  # type: ignore[type-var]
    ],
)
def test_a_short_training_looks_less(steps: int, found: Validation | bool) -> None:
    assert looks(steps) == found


def test_a_long_one_looks_as_any() -> None:
    assert looks(4000, question=0.1) == RECIPE.looks


def test_answers_that_take_long_are_not_asked_for() -> None:
    made = looks(40, question=4)
    assert isinstance(made, Validation)
    assert made.questions == 0


def test_a_recipe_without_looks_has_none() -> None:
    assert fit_looks(replace(RECIPE, validation=False), 2000, {}, {}) is False
