"""A training run as a file: what to start from, on what, in which stages.

Every value can be overridden from the command line: ``--set stages.locations.steps=100``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from locvlm.errors import InputError
from locvlm.instructions import objectives

Count = Annotated[int, msgspec.Meta(ge=1)]


class Lora(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Low-rank updates of the language model (arXiv 2106.09685)."""

    rank: Count = 24
    alpha: Count = 24
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stretch of training; a step is one update of the weights."""

    trains: Literal["naming", "adapter", "adapter+lora"]  # naming: the adapter, on patches' names
    steps: Count
    pictures: Count = 8  # per step
    learning_rate: float = 1e-4
    warmup: float = 0.03  # share of the steps
    decay: float = 0.2  # share of the steps, at the end, in which the rate falls to a tenth
    questions: dict[str, Count] = {}  # objective -> at most so many per visit of a picture
    max_questions: Count = 20  # of all objectives together, per visit
    guidance: float = 0.0  # weight of the loss that guides attention to the boxes in question


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole run."""

    model: str  # what to start from: a shipped name, or an adapter's folder relative to the recipe
    data: tuple[str, ...]  # folders that `locvlm build` made, relative to the recipe
    out: str  # relative to the working folder
    stages: dict[str, Stage]  # run in this order
    format: str = "ivb"
    options: dict[str, int] = {}  # of the coordinate format
    lora: Lora = Lora()
    flip: bool = True  # half of the visits see the picture mirrored
    seed: int = 0
    save_steps: Count = 100
    features: str = ""  # folder of the encoder's outputs; empty: `out`/features


def read_recipe(path: Path, overrides: list[str] | None = None) -> Recipe:
    """The recipe in a YAML file, with ``key=value`` overrides (dotted keys, YAML values).

    Raises:
        InputError: the file is missing or broken, or a key or value is not a recipe's.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the recipe: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict):
        raise InputError(f"{path}: a recipe is a mapping with model, data, out and stages")
    for override in overrides or []:
        _set(tree, override)
    try:
        recipe = msgspec.convert(tree, Recipe)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from error
    _check(path, recipe)
    near = path.parent
    return msgspec.structs.replace(
        recipe,
        model=str((near / recipe.model).resolve()) if "/" in recipe.model else recipe.model,
        data=tuple(str((near / folder).resolve()) for folder in recipe.data),
    )


def _check(path: Path, recipe: Recipe) -> None:
    if not recipe.stages:
        raise InputError(f"{path}: names no stages; give at least one")
    for name, stage in recipe.stages.items():
        if not stage.questions and stage.trains != "naming":
            raise InputError(
                f"{path}: stages.{name}.questions: asks nothing; give objectives and how many "
                "questions of each, such as {locpred: 4}"
            )
        for objective in stage.questions:
            objectives.get(objective)


def _set(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"--set {override}: expected key=value")
    *path, last = key.split(".")
    for name in path:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise InputError(f"--set {override}: {name} has no keys of its own")
    try:
        # YAML reads 1e-4 as text, people mean the number
        value = yaml.safe_load(text)
        tree[last] = float(value) if isinstance(value, str) and _is_number(value) else value
    except yaml.YAMLError as error:
        raise InputError(f"--set {override}: the value is not YAML") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
