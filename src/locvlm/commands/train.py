"""`locvlm train`: a recipe becomes a model."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from itertools import chain
from pathlib import Path
from typing import Any

from locvlm.commands.arguments import Recipe, RecipeImages, RecipeSettings, image_settings
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable
from locvlm.shown.terminal import say, say_json


@resumable()
def train(
    recipe: Recipe,
    /,
    *,
    images: RecipeImages = [],  # noqa: B006
    set: RecipeSettings = [],  # noqa: B006
    json: bool = False,
) -> None:
    """Tune a model by a recipe; a run that was killed goes on where it stopped.

    Args:
        json: print the model's folder and what validation found of each stage as one JSON object.
    """
    from locvlm.training.recipe_file import read_recipe

    # What it refuses is told before PyTorch is loaded
    loaded = read_recipe(recipe, [*chain.from_iterable(set), *image_settings(images)])

    from locvlm.training.train import train_recipe

    with redirect_stdout(sys.stderr) if json else nullcontext():  # libraries print there, too
        folder = train_recipe(loaded)
    if int(os.environ.get("RANK", "0")):
        return
    if json:
        say_json(_as_json(folder))
        return
    say(f"Trained: {folder}")
    print_next(_name_next(folder, images))


def _as_json(model: Path) -> dict[str, Any]:
    """The model, and the figures of each stage that looked at held-out images."""
    from locvlm.io.own_files import read_own_json
    from locvlm.training.validation.outcome import FILE

    found = sorted(model.parent.glob(f"*/{FILE}"))
    stages = {
        path.parent.name: read_own_json(path, dict[str, Any], "the looks of a stage")
        for path in found
    }
    return {"model": str(model), "out": str(model.parent), "validation": stages}


def _name_next(model: Path, images: Sequence[Path]) -> str:
    """To ask about the images that were held out; without such, to locate something."""
    from locvlm.annotations.splits import TEST, VAL
    from locvlm.instructions.dataset import MANIFEST, read_manifest
    from locvlm.training.claim import CLAIM
    from locvlm.training.recipe_file import decode_recipe

    claim = model.parent / CLAIM
    data = decode_recipe(claim.read_bytes()).data if claim.is_file() else ()
    for folder in map(Path, data):
        if not (folder / MANIFEST).is_file():
            continue
        manifest = read_manifest(folder)
        if {VAL, TEST} & manifest.split_images.keys():
            moved = ["--images", images[0]] if len(images) == 1 else []
            asked = ["--task", "locate", "--annotations", folder, *moved]
            words = ["eval", "--model", model, *asked, "--out", model.parent / "eval"]
            return format_command(*words)
    return format_command("locate", "PHOTO.jpg", "WHAT", "--model", model)
