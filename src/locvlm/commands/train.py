"""`locvlm train`: a recipe becomes a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from locvlm.commands.resuming import resumable


@resumable()
def train(
    recipe: Annotated[Path, arg(metavar="RECIPE.yaml")],
    /,
    *,
    set: Annotated[list[list[str]], UseAppendAction, arg(metavar="KEY=VALUE …")] = [],  # noqa: B006
) -> None:
    """Tune a model by a recipe; a run that was killed goes on where it stopped.

    Args:
        recipe: YAML file with every setting.
        set: settings that replace the recipe's.
    """
    from locvlm.training.train import train as run

    folder = run(recipe, [setting for settings in set for setting in settings])
    if int(os.environ.get("RANK", "0")) == 0:
        print(f"Trained: {folder}")
