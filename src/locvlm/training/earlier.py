"""A recipe that starts from what another one leaves: ``model: locvlm-b.yaml``.

What the earlier recipe has made lies in its `out`, so a chain of recipes is trained one after the
other from the same working folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from locvlm.errors import InputError
from locvlm.training.claim import find_changes
from locvlm.training.recipe import Recipe
from locvlm.training.recipe_file import is_recipe, read_recipe


def start_from_earlier(recipe: Recipe) -> Recipe:
    """The recipe with the model that the one named by `model` has left; others as they are.

    Raises:
        InputError: it has not been trained to its end, or cannot be read.
    """
    if not is_recipe(recipe.model):
        return recipe
    folder = result_of(read_earlier(recipe.model))
    if not folder.is_dir():
        path = os.path.relpath(recipe.model)
        raise InputError(
            f"{path}: has left no model yet ({folder} is not there); run `locvlm train {path}` "
            "first, from this folder, or set model to the folder that it has left"
        )
    return replace(recipe, model=str(folder))


def result_of(recipe: Recipe) -> Path:
    """The folder of the model that a recipe leaves."""
    return Path(recipe.out).resolve() / "model"


def describe_earlier_changes(recipe: Recipe) -> str:
    """What the recipe named by `model` has otherwise than the run that left the model; "": nothing.

    That run may have had its own settings from the command line, so it is no error.
    """
    if not is_recipe(recipe.model):
        return ""
    earlier = read_earlier(recipe.model)
    if is_recipe(earlier.model):
        earlier = replace(earlier, model=str(result_of(read_earlier(earlier.model))))
    changes = find_changes(Path(earlier.out), earlier)
    if not changes:
        return ""
    path = os.path.relpath(recipe.model)
    return f"{path}: what it has left was trained with other settings: {', '.join(changes)}"


def read_earlier(path: str) -> Recipe:
    """The recipe that another one starts from.

    Raises:
        InputError: it cannot be read, or starts from itself, maybe by way of others.
    """
    first = recipe = read_recipe(Path(path))
    chain = [path]
    while is_recipe(recipe.model):
        chain.append(recipe.model)
        if chain.count(recipe.model) > 1:
            names = ", which starts from ".join(Path(one).name for one in chain)
            raise InputError(f"{path}: goes round in a circle: {names}")
        recipe = read_recipe(Path(recipe.model))
    return first
