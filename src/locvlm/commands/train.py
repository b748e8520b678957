"""`locvlm train`: a recipe becomes a model."""

from __future__ import annotations

import os
from itertools import chain

from locvlm.commands.arguments import Recipe, RecipeImages, RecipeSettings, image_settings
from locvlm.commands.resuming import resumable


@resumable()
def train(
    recipe: Recipe,
    /,
    *,
    images: RecipeImages = [],  # noqa: B006
    set: RecipeSettings = [],  # noqa: B006
) -> None:
    """Tune a model by a recipe; a run that was killed goes on where it stopped."""
    from locvlm.training.train import train as run

    folder = run(recipe, [*chain.from_iterable(set), *image_settings(images)])
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"Trained: {folder}")
