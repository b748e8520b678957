"""How often a stage is looked at, and at how much, so that looks take a small share of its time.

It is counted and not timed: a rerun, here or on another machine, looks after the same steps and
keeps the same state. What looks really took is said at the end of a stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from locvlm.training.recipe import Stage, Validation

# What a look costs, in visits of training: an image's loss needs no backward pass, and a question
# of each score an image that is read, and an answer that is written
IMAGE_COST = 0.4
QUESTION_COST = 0.4
PER_IMAGE = 60  # visits of a stage for each image of a look
LEAST, MOST = 4, 64  # images of a look
LOOKS = 10  # at most, where they cost little
ENDS = 2  # more of them: before the first step, and at images that were trained on
# Stages that teach where things are are asked where things are
LOCATING = frozenset({"locpred", "negpred", "presence"})


@dataclass(frozen=True)
class Schedule:
    """The looks of a stage."""

    images: int  # for the loss
    questions: int  # of each score; 0: none are asked
    every: int  # steps
    total: int  # steps of the stage

    def is_due(self, step: int) -> bool:
        """Whether there is a look after so many steps: also before the first, and at the end."""
        return step % self.every == 0 or step == self.total


def make_schedule(stage: Stage, settings: Validation, *, asks: bool = True) -> Schedule:
    """What `settings` say of a stage, whose `auto` is decided here.

    Args:
        stage: whose steps are counted.
        settings: of the recipe.
        asks: answers can be had; else there is the loss alone.
    """
    visits = stage.total_steps * stage.images
    usual = min(MOST, max(LEAST, visits // PER_IMAGE))
    images = usual if settings.images == "auto" else settings.images
    questions = usual if settings.questions == "auto" else settings.questions
    if not asks or LOCATING.isdisjoint(stage.questions):
        questions = 0
    if settings.steps == "auto":
        cost = images * IMAGE_COST + questions * QUESTION_COST
        looks = min(LOOKS, max(1, int(settings.share * visits / cost) - ENDS))
        every = math.ceil(stage.total_steps / looks)
    else:
        every = settings.steps
    return Schedule(images, questions, every, stage.total_steps)
