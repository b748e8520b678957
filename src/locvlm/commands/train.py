"""`locvlm train`: a recipe becomes a model."""

from __future__ import annotations

import os
from itertools import chain

from locvlm.commands.arguments import Recipe, RecipeSettings
from locvlm.commands.resuming import resumable


@resumable()
def train(
    recipe: Recipe,
    /,
    *,
    set: RecipeSettings = [],  # noqa: B006
) -> None:
    """Tune a model by a recipe; a run that was killed goes on where it stopped."""
    from locvlm.training.train import train as run

    folder = run(recipe, list(chain.from_iterable(set)))
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"Trained: {folder}")
