"""The recipes that an ablation compares: alike but for one thing (arXiv 2404.07449, ablations)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.instructions.dataset import read_manifest
from locvlm.training.recipe import Recipe, Stage

NONE = "none"
LOCATED = ("locpred", "negpred", "revloc")  # in the order in which the paper adds them


def make_variants(recipe: Recipe, over: str) -> dict[str, Recipe]:
    """The variants of `recipe`, by name.

    Args:
        recipe: of the whole run.
        over: what is varied, one of `KINDS`.

    Raises:
        InputError: a stage of a variant would ask nothing.
    """
    if over not in KINDS:
        raise InputError(f"cannot ablate over {over!r}; known: {', '.join(KINDS)}")
    return KINDS[over](recipe)


def _coordinates(recipe: Recipe) -> dict[str, Recipe]:
    """The three ways to write a location, with the recipe's bins where there are any."""
    bins = {"bins": recipe.options["bins"]} if "bins" in recipe.options else {}
    options = {"nfp": {}, "ivb": bins, "diga": bins}
    return {
        name: msgspec.structs.replace(recipe, format=name, options=dict(own))
        for name, own in options.items()
    }


def _objectives(recipe: Recipe) -> dict[str, Recipe]:
    """None of the location objectives, then one more each time; other questions stay.

    Stages that ask nothing else are left out of none: it is the model before tuning, as in the
    paper's table.
    """
    added = {f"+ {name}": count for count, name in enumerate(LOCATED, 1)}
    return {NONE: _without_located(recipe)} | {
        name: _without(recipe, LOCATED[count:], f"variant {name!r}")
        for name, count in added.items()
    }


def _location(recipe: Recipe) -> dict[str, Recipe]:
    """Boxes, or their centers."""
    return {
        name: msgspec.structs.replace(recipe, points=points)
        for name, points in (("box", False), ("point", True))
    }


def _pseudo(recipe: Recipe) -> dict[str, Recipe]:
    """Without the data sets that a model has made, then with them, then these alone.

    The paper compares the first with the last: all three objectives on plain COCO, or on COCO's
    objects as the model has described them.
    """
    real = tuple(name for name in recipe.data if not read_manifest(Path(name)).pseudo)
    if not 0 < len(real) < len(recipe.data):
        kind = "made by a model" if not real else "annotated by people"
        raise InputError(
            f"--over pseudo: all data sets of the recipe are {kind}; name some of either in data "
            "(see locvlm pseudo)"
        )
    made = tuple(name for name in recipe.data if name not in real)
    return {
        "without": recipe.with_data(real),
        "with": recipe,
        "alone": recipe.with_data(made),
    }


def _without_located(recipe: Recipe) -> Recipe:
    """A recipe without stages is one whose model is measured as it is.

    Raises InputError where that model has an adapter that nothing has trained.
    """
    asked = set(LOCATED)
    kept = {
        name: stage
        for name, stage in recipe.stages.items()
        if stage.trains == "naming" or stage.questions.keys() - asked
    }
    if not kept and recipe.parts is not None:
        raise InputError(
            f"variant {NONE!r}: no stage asks anything but locations, so nothing has trained the "
            "adapter of these parts yet; let a stage before ask caption, or start from a model"
        )
    return _without(msgspec.structs.replace(recipe, stages=kept), LOCATED, f"variant {NONE!r}")


def describe_none(recipe: Recipe) -> str:
    """What stands under none in the table over objectives of a recipe, for people."""
    left = _without_located(recipe).stages
    if not left:
        return f"{NONE}: {recipe.model} as the recipe begins with it, not tuned, whatever the seed"
    if dropped := [name for name in recipe.stages if name not in left]:
        return (
            f"{NONE}: the model before tuning: after {', '.join(left)}, without "
            f"{', '.join(dropped)}, where all questions are of locations"
        )
    return f"{NONE}: tuned as long as the others, on the recipe's other questions alone"


def _without(recipe: Recipe, objectives: Collection[str], variant: str) -> Recipe:
    stages = {
        name: _stage(stage, objectives, f"{variant}: stages.{name}")
        for name, stage in recipe.stages.items()
    }
    return msgspec.structs.replace(recipe, stages=stages)


def _stage(stage: Stage, objectives: Collection[str], where: str) -> Stage:
    if stage.trains == "naming":
        return stage
    left = {name: count for name, count in stage.questions.items() if name not in objectives}
    if not left:
        raise InputError(
            f"{where} would ask nothing; let it ask this objective too, or something else, such as "
            "caption or category"
        )
    return msgspec.structs.replace(stage, questions=left)


KINDS: dict[str, Callable[[Recipe], dict[str, Recipe]]] = {
    "coordinates": _coordinates,
    "objectives": _objectives,
    "location": _location,
    "pseudo": _pseudo,
}
