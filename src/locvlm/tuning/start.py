"""What a tuning starts from: a model, and the recipe by which it is trained."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from locvlm.annotations.splits import VAL
from locvlm.errors import InputError
from locvlm.models.folders import resolve
from locvlm.training.earlier import start_from_earlier
from locvlm.training.recipe import Recipe, Validation
from locvlm.training.recipe_file import read_recipe
from locvlm.tuning import folders
from locvlm.tuning.data import TuningData
from locvlm.tuning.options import TuneOptions
from locvlm.tuning.recipes import count_steps, make_recipe, shorten, write_recipe


@dataclass(frozen=True)
class Start:
    """The recipe in the tuning's folder, as long as is worth it."""

    file: Path
    recipe: Recipe  # as the file has it; its data are absolute
    steps: dict[str, int]  # of each stage, at most

    @property
    def model(self) -> str:
        """That is asked before, and trained."""
        return self.recipe.model

    def chooses_by(self, split: str) -> bool:
        """Whether the training keeps the state that is best on photos of this split."""
        looks = self.recipe.looks
        return looks is not None and looks.keep == "best" and split == VAL

    def write(self, steps: dict[str, int], looks: Validation | bool | None = None) -> None:
        """The file, with so many steps of each stage.

        Args:
            steps: of each stage.
            looks: at held-out photos; None: as the recipe has them.
        """
        recipe = shorten(self.recipe, steps)
        recipe = recipe if looks is None else replace(recipe, validation=looks)
        near = tuple(_near(self.file.parent, folder) for folder in recipe.data)
        write_recipe(self.file, replace(recipe, data=near, out=folders.TRAINING))


def prepare_start(options: TuneOptions, data: TuningData, out: Path) -> Start:
    """The recipe of a tuning: the one that was given, or one made for the model.

    Args:
        options: of the tuning.
        data: that it learns from.
        out: its folder, which gets the recipe.

    Raises:
        InputError: the recipe or the model cannot be used.
    """
    file = out / folders.RECIPE
    if options.recipe:
        model = (f"model={json.dumps(options.model)}",) if options.model else ()
        learned = f"data={json.dumps([str(data.folder.resolve())])}"
        settings = [*model, *options.settings, learned]
        recipe = start_from_earlier(read_recipe(Path(options.recipe), settings))
    else:
        recipe = make_recipe(resolve_name(options.start), data.manifest, data.split)
        recipe = replace(recipe, data=(str(data.folder.resolve()),), out=folders.TRAINING)
        write_recipe(file, recipe)
        recipe = read_recipe(file, list(options.settings))
    if not recipe.model:
        raise InputError(
            f"{options.recipe}: puts a model together from parts, which cannot be asked before it "
            "is trained; train it by locvlm train, and tune what it leaves"
        )
    start = Start(file, recipe, count_steps(recipe, data.manifest))
    start.write(start.steps)
    return start


def check_model(options: TuneOptions) -> None:
    """Raise InputError for a model that there is not, before anything is built."""
    if options.model or not options.recipe:
        resolve(resolve_name(options.start))


def resolve_name(model: str) -> str:
    """A folder as an absolute path, which holds wherever the recipe lies; other names stay."""
    return str(Path(model).expanduser().resolve()) if Path(model).expanduser().is_dir() else model


def _near(here: Path, folder: str) -> str:
    """A folder as seen from another where it lies below it; else as it is."""
    try:
        near = Path(os.path.relpath(folder, here.resolve())).as_posix()
    except ValueError:  # on another drive
        return folder
    return folder if near.startswith("..") else near
