"""Where a model comes from: its folders, its adapter's settings, its training run, its own card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.instructions.dataset import Manifest, read_manifest
from locvlm.models.folders import ADAPTER, UNTRAINED, hub_id, read_settings, resolve
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.recipe_file import decode_recipe
from locvlm.training.run_sources import read_sources

RECIPE = "recipe.json"


class AdapterConfig(msgspec.Struct, frozen=True):
    """Of `adapter_config.json`, as PEFT writes it, what a reader asks for."""

    peft_type: str
    r: int | None = None
    lora_alpha: float | None = None
    target_modules: str | list[str] | None = None
    modules_to_save: list[str] | None = None


@dataclass(frozen=True)
class DataSource:
    """A data set of a run."""

    name: str  # of its folder
    manifest: Manifest | None  # None: it does not lie there any more
    questions: Mapping[str, int] | None  # that the run could ask, by objective; None: not known


@dataclass(frozen=True)
class RunRecord:
    """What `locvlm train` did."""

    recipe: Recipe
    stages: dict[str, Stage]  # up to the model
    data: tuple[DataSource, ...]

    def questions_of(self, stage: Stage) -> dict[str, int]:
        """At most so many a visit, by objective, without those that its data had no question of."""
        held: Counter[str] = Counter()
        for one in self.data:
            if one.questions is None:
                return dict(stage.questions)
            held.update(one.questions)
        return {name: most for name, most in stage.questions.items() if held[name]}


@dataclass(frozen=True)
class ModelOrigin:
    """What is known of a model besides its weights."""

    folders: tuple[Path, ...]  # of the model and of its base
    base: str  # of an adapter: its name, or its id on the hub; empty: a whole model
    adapter: AdapterConfig | None  # None: a whole model
    run: RunRecord | None  # None: not known


def find_origin(name: str, run: Path | None = None) -> ModelOrigin:
    """Of a model by name or folder.

    Args:
        name: as `load_model` takes it.
        run: folder of its training run; None: the one that the model lies in, if any.

    Raises:
        InputError: there is no such model, or no run of this version.
    """
    folder, base = (path.resolve() for path in resolve(name))
    known = _read_run(run) if run is not None else _run_around(folder)
    if folder == base:
        return ModelOrigin((folder,), "", None, known)
    named = read_settings(folder).base
    shown = UNTRAINED if named == "tiny" else hub_id(named, folder) or base.name
    return ModelOrigin((folder, base), shown, _lora(folder), known)


def _lora(folder: Path) -> AdapterConfig:
    path = folder / ADAPTER[0]
    try:
        return msgspec.json.decode(path.read_bytes(), type=AdapterConfig)
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: no settings of an adapter ({error}); save it again") from None


def _run_around(folder: Path) -> RunRecord | None:
    """The run whose ``model``, or whose stage's ``model``, a folder is."""
    for above in folder.parents[:2]:
        if (above / RECIPE).is_file():
            return _read_run(above, last=folder.parent.name)
    return None


def _read_run(folder: Path, last: str = "") -> RunRecord:
    """The run up to the stage `last`; all of it if that is none of its stages."""
    path = folder / RECIPE
    try:
        recipe = decode_recipe(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check --run") from None
    except InputError as error:
        raise InputError(f"{path}: no recipe of this version ({error}); check --run") from None
    names = list(recipe.stages)
    names = names[: names.index(last) + 1] if last in names else names
    sources = read_sources(folder)
    known = sources.data if sources and len(sources.data) == len(recipe.data) else ()
    begun = dict(zip(recipe.data, (one.questions for one in known), strict=False))
    data = tuple(_data(Path(path), begun.get(path)) for path in recipe.data)
    return RunRecord(recipe, {name: recipe.stages[name] for name in names}, data)


def _data(folder: Path, questions: Mapping[str, int] | None) -> DataSource:
    """What is known of a data set; `questions` as they were when the run was begun."""
    try:
        manifest = read_manifest(folder)
    except InputError:
        return DataSource(folder.name, None, questions)
    return DataSource(folder.name, manifest, manifest.counts if questions is None else questions)
