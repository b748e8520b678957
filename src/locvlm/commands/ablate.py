"""`locvlm ablate`: one recipe, varied in one thing, as a table."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Literal

from locvlm.commands.arguments import (
    Number,
    OptionalNumber,
    Recipe,
    RecipeImages,
    RecipeSettings,
    image_settings,
)
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable
from locvlm.shown.terminal import say_text


@resumable()
def ablate(
    recipe: Recipe,
    /,
    *,
    over: Literal["coordinates", "objectives", "location", "pseudo"],
    suite: str,
    data: Path,
    out: Path,
    seeds: Number = 3,
    limit: OptionalNumber = None,
    images: RecipeImages = [],  # noqa: B006
    set: RecipeSettings = [],  # noqa: B006
) -> None:
    """Train and measure variants of a recipe; goes on where it was stopped.

    Args:
        over: coordinates (nfp, ivb, diga), objectives (none, then LocPred, NegPred and RevLoc added
            one by one), location (boxes or their centers), or pseudo (without the data sets that a
            model has made, then with them, then these alone).
        suite: what to measure with: a suite that comes along, or a file, as of `locvlm eval`.
        data: folder of the suite's data.
        out: folder of the runs, their scores and table.md.
        seeds: how many of each variant.
        limit: pictures per entry of the suite; all if not given.
    """
    from locvlm.ablation.run import ablate as run
    from locvlm.evaluation.suites.suite import read_suite
    from locvlm.training.recipe_file import read_recipe

    settings = [*chain.from_iterable(set), *image_settings(images)]
    base = read_recipe(recipe, settings)
    run(base, over, read_suite(suite), data, out, seeds=seeds, limit=limit)
    say_text((out / "table.md").read_text(encoding="utf-8"))
    print_next(format_command("train", recipe, *(["--set", *settings] if settings else [])))
