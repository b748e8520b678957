"""How many steps the epochs of a stage are: the same rule for a run and for its plan.

An epoch is one visit of every image's conversation that has something to ask; a visit asks up to
`max_questions` of its questions, drawn anew each time. (The conversations of two data sets about
one image are two.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from msgspec.structs import replace

from locvlm.training.recipe import Recipe, Stage


def count_steps(stage: Stage, images: int) -> int:
    """The steps of a stage whose epochs go through so many images; the last one may go further."""
    epochs = Fraction(repr(stage.epochs))  # 0.1 of 30 images are 3, not a hair more
    return math.ceil(epochs * images / stage.images)


def resolve_epochs(recipe: Recipe, count_images: Callable[[str, Stage], int]) -> Recipe:
    """The recipe with the steps of every stage.

    Args:
        recipe: as read.
        count_images: the images that a stage (by name) has something to ask about; it is asked of
            stages with epochs alone.
    """
    stages = {
        name: replace(stage, steps=count_steps(stage, count_images(name, stage)))
        if stage.epochs is not None
        else stage
        for name, stage in recipe.stages.items()
    }
    return replace(recipe, stages=stages)


def describe_epochs(name: str, stage: Stage, images: int) -> str:
    """A stage's epochs in steps, for people."""
    passes, steps = stage.epochs or 0, stage.total_steps
    return (
        f"{name}: {passes:g} {'epoch' if passes == 1 else 'epochs'} of {images:,} images: "
        f"{steps:,} {'step' if steps == 1 else 'steps'} of {stage.images} images"
    )
