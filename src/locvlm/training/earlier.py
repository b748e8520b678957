"""A recipe that starts from what another one leaves: ``model: locvlm-b.yaml``.

What the earlier recipe has made lies in its `out`, so a chain of recipes is trained one after the
other from the same working folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from locvlm.errors import InputError
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
