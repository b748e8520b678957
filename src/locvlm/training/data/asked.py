"""Whether the data sets of a recipe have what its stages ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from locvlm.errors import InputError
from locvlm.training.recipe import Recipe

Held = Mapping[Path, Mapping[str, int]]  # data set -> objective -> how many questions


def check_asked(recipe: Recipe, held: Held) -> None:
    """Raise InputError where a stage asks an objective that no data set has a question of."""
    found, missing = _sum_up(held), _find_missing(recipe, held)
    if not missing:
        return
    lacking = dict.fromkeys(objective for some in missing.values() for objective in some)
    stages = f"stage {next(iter(missing))} asks"
    if len(missing) > 1:
        stages = f"stages {', '.join(missing)} ask"
    settings = " ".join(filter(None, (_setting(recipe, name, found) for name in missing)))
    raise InputError(
        f"the data sets have no questions of {', '.join(lacking)}, which {stages}; build them with "
        f"--objectives that include these, or ask what they have: {_list_counts(found)}"
        + (f" ({settings})" if settings else "")
    )


def find_unasked(recipe: Recipe, held: Held) -> list[str]:
    """What no data set has, though a stage asks it, and data sets that are asked nothing."""
    asked = {objective for stage in recipe.stages.values() for objective in stage.questions}
    if not asked:
        return []
    return [
        *(
            f"stage {name}: no data set has questions of {', '.join(missing)}"
            for name, missing in _find_missing(recipe, held).items()
        ),
        *(
            f"{folder}: none of its questions is asked; it has: {', '.join(sorted(own))}"
            for folder, own in held.items()
            if not asked & own.keys()
        ),
    ]


def _find_missing(recipe: Recipe, held: Held) -> dict[str, list[str]]:
    """Stage -> its objectives that no data set has."""
    found = _sum_up(held)
    missing = {
        name: [objective for objective in stage.questions if not found[objective]]
        for name, stage in recipe.stages.items()
    }
    return {name: some for name, some in missing.items() if some}


def _sum_up(held: Held) -> Counter[str]:
    total: Counter[str] = Counter()
    for own in held.values():
        total.update(own)
    return total


def _list_counts(found: Counter[str]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in sorted((+found).items()))


def _setting(recipe: Recipe, name: str, found: Counter[str]) -> str:
    """What to set so that the stage asks what there is, if it asks any of it."""
    asked = recipe.stages[name].questions
    left = [f"{objective}: {most}" for objective, most in asked.items() if found[objective]]
    return f"--set 'stages.{name}.questions={{{', '.join(left)}}}'" if left else ""
