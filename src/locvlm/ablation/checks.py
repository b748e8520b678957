"""What can be refused before the first of many runs, and not hours later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation.suites.suite import Entry, find_sources
from locvlm.instructions.dataset import read_manifest
from locvlm.progress import track
from locvlm.training.recipe import Recipe


def check_suite(entries: Sequence[Entry], data: Path) -> None:
    """Raises InputError where a file of the suite is missing below the folder `data`."""
    for entry in entries:
        try:
            find_sources(entry, data)
        except InputError as error:
            raise InputError(f"{entry.name}: {error}") from error


def check_variants(variants: Mapping[str, Recipe]) -> None:
    """Of each recipe all that `training.train.check` sees.

    Raises:
        InputError: one cannot be trained, or two would be trained alike.
    """
    from locvlm.training.train import check_recipe

    names: dict[str, str] = {}
    for name, recipe in track(list(variants.items()), "Checking the variants"):
        try:
            if recipe.stages:  # else the others tell whether its model can be had
                check_recipe(recipe)
        except InputError as error:
            raise InputError(f"variant {name!r}: {error}") from error
        other = names.setdefault(_training(recipe), name)
        if other != name:
            raise InputError(
                f"variants {other!r} and {name!r} would be trained alike; ask in the recipe for "
                "what tells them apart, and build data that has it"
            )


def _training(recipe: Recipe) -> str:
    """All that a run depends on; questions that its data has none of are nothing to it."""
    held = {
        objective
        for folder in recipe.data
        for objective, count in read_manifest(Path(folder)).counts.items()
        if count
    }
    stages = {
        name: msgspec.structs.replace(
            stage, questions={one: n for one, n in stage.questions.items() if one in held}
        )
        for name, stage in recipe.stages.items()
    }
    return repr(msgspec.structs.replace(recipe, stages=stages, out=""))
