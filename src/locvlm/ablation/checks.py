"""What can be refused before the first of many runs, and not hours later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.metrics import captions
from locvlm.evaluation.suites.suite import Entry, find_sources
from locvlm.instructions.dataset import read_manifest
from locvlm.models.load import read_processor
from locvlm.models.video_llava.processor import frames_of
from locvlm.progress import track
from locvlm.training.recipe import Recipe


def check_suite(entries: Sequence[Entry], data: Path) -> None:
    """Raises InputError where a file of the suite is missing below the folder `data`.

    Or what METEOR needs.
    """
    for entry in entries:
        try:
            find_sources(entry, data)
            if any("METEOR" in score for score in tasks.get(entry.task).headlines):
                captions.check_installed()
        except InputError as error:
            raise InputError(f"{entry.name}: {error}") from error


def find_measurable(entries: Sequence[Entry], recipe: Recipe) -> tuple[list[Entry], dict[str, str]]:
    """The entries that the models of a recipe can be asked, and why not the others, by name.

    Raises:
        InputError: all are about clips, and the recipe is of models that read images.
    """
    clips = [entry for entry in entries if tasks.get(entry.task).card.clips]
    if not clips or _reads_clips(recipe):
        return list(entries), {}
    if len(clips) == len(entries):
        raise InputError(
            f"the suite is about clips alone ({', '.join(entry.name for entry in clips)}), and the "
            "models of this recipe read images; ablate a recipe of a model of clips"
        )
    reason = (
        "is about clips, and the models of this recipe read images; train a model of clips from "
        "each variant's model (as recipes/vid-b.yaml does) and evaluate that"
    )
    kept = [entry for entry in entries if entry not in clips]
    return kept, {entry.name: reason for entry in clips}


def _reads_clips(recipe: Recipe) -> bool:
    if recipe.frames or recipe.parts is not None:
        return bool(recipe.frames)
    return frames_of(read_processor(recipe.model)) is not None


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
