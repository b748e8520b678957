"""How often a stage is looked at, and how much a look takes."""

import pytest

from locvlm.training.recipe import Stage, Validation
from locvlm.training.validation.schedule import (
    IMAGE_COST,
    LEAST,
    LOOKS,
    MOST,
    QUESTION_COST,
    make_schedule,
)


def stage(steps: int, images: int = 8, objective: str = "locpred") -> Stage:
    return Stage(trains="adapter", steps=steps, images=images, questions={objective: 1})


@pytest.mark.parametrize("steps", [1, 2, 3, 16, 160, 1000, 14985])
def test_there_is_a_look_before_the_first_step_and_after_the_last(steps: int) -> None:
    schedule = make_schedule(stage(steps), Validation())
    due = [step for step in range(steps + 1) if schedule.is_due(step)]
    assert (due[0], due[-1]) == (0, steps)
    assert len(due) <= LOOKS + 2
    assert LEAST <= schedule.images == schedule.questions <= MOST


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_looks_of_a_long_stage_take_their_share_at_most(share: float) -> None:
    for steps in (400, 1000, 14985):
        schedule = make_schedule(stage(steps), Validation(share=share))
        looks = sum(map(schedule.is_due, range(steps + 1))) + 1  # and of what was trained on
        cost = schedule.images * IMAGE_COST + schedule.questions * QUESTION_COST
        assert looks * cost <= max(share * steps * 8, 3 * cost)


def test_what_the_recipe_says_counts() -> None:
    given = Validation(images=7, questions=0, steps=5)
    schedule = make_schedule(stage(12), given)
    assert (schedule.images, schedule.questions) == (7, 0)
    assert [step for step in range(13) if schedule.is_due(step)] == [0, 5, 10, 12]


def test_a_stage_that_does_not_say_where_is_not_asked_where() -> None:
    assert make_schedule(stage(500, objective="caption"), Validation()).questions == 0
    assert make_schedule(stage(500), Validation(), asks=False).questions == 0
