"""A recipe's file: YAML with overrides, checked; or the JSON that a run keeps of its own recipe.

Every value can be overridden from the command line: ``--set stages.locations.steps=100``.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError, first_line
from locvlm.instructions import objectives
from locvlm.instructions.base import MIXED
from locvlm.io.own_files import convert_own, decode_own
from locvlm.io.reading import is_folder, is_unicode, quote
from locvlm.io.yaml_text import UniqueKeyLoader, parse_yaml, parse_yaml_bytes
from locvlm.training.recipe import Recipe, Reinforce, Stage
from locvlm.training.recipe_keys import suggest_key

# A stage's folder lies beside these in `out`
_RESERVED = frozenset({"base", "features", "model"})

_COMBINATIONS = (
    ("adapter",),
    ("lora",),
    ("language",),
    ("adapter", "lora"),
    ("adapter", "language"),
    ("encoder", "adapter", "language"),
)


_DEEPEST = 8  # keys within keys
_LONGEST = 4096  # bytes of a path, and of a name in it
_LONGEST_NAME = 255

_LENGTHS = frozenset({"steps", "epochs"})  # of a stage, which has one of them

# Keys of a stage that had another name in the last version, which is accepted with a warning
_OLD_KEYS = {"pictures": "images"}


class _Yaml(UniqueKeyLoader):
    """YAML in which 1e-4 is a number, as people mean it (and YAML 1.2 says), not a text."""


_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


def read_recipe(path: Path, overrides: list[str] | None = None) -> Recipe:
    """The recipe in a YAML file, with ``key=value`` overrides (dotted keys, YAML values).

    Raises:
        InputError: the file is missing or broken, or a key or value is not a recipe's.
    """
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read the recipe: {first_line(error)}") from error
    tree = parse_yaml_bytes(data, path, _Yaml)
    if not isinstance(tree, dict):
        raise InputError(f"{path}: a recipe is a mapping with model, data, out and stages")
    _rename_old_keys(tree, str(path))
    for override in overrides or []:
        _apply_override(tree, override)
    stages = tree.get("stages")
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        try:  # on its own, so that the error can say which one it is
            msgspec.convert(stage, Stage)
        except msgspec.ValidationError as error:
            reason = suggest_key(str(error), Stage)
            raise InputError(f"{path}: stages.{name}: {reason}") from error
    try:
        recipe = msgspec.convert(tree, Recipe)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {suggest_key(str(error), Recipe)}") from error
    _check(path, recipe)
    _check_paths(path, recipe)
    near, parts = path.parent, recipe.parts
    images = (recipe.images,) if isinstance(recipe.images, str) else recipe.images
    if parts is not None:
        parts = msgspec.structs.replace(
            parts,
            encoder=_resolve_model(near, parts.encoder),
            language=_resolve_model(near, parts.language),
        )
    return msgspec.structs.replace(
        recipe,
        model=_resolve_model(near, recipe.model),
        parts=parts,
        data=tuple(_resolve_data(path, "data", name) for name in recipe.data),
        images=tuple(_resolve_data(path, "images", name) if name else "" for name in images),
    )


def decode_recipe(data: bytes) -> Recipe:
    """The recipe that a run has kept as JSON, also where an older version began it.

    Raises:
        InputError: it is none.
    """
    tree = decode_own(data, dict[str, Any], "recipe.json", "a run's recipe")
    _rename_old_keys(tree)
    return convert_own(tree, Recipe, "recipe.json", "a run's recipe")


def _rename_old_keys(tree: dict[str, Any], where: str = "") -> None:
    """Give the keys of a stage that had another name in the last version their name of today.

    Args:
        tree: of a recipe, changed in place.
        where: what the warning names as the recipe; "": nobody is warned.

    Raises:
        InputError: a stage has a key by both of its names.
    """
    stages = tree.get("stages")
    for name, stage in stages.items() if isinstance(stages, dict) else ():
        for old, new in _OLD_KEYS.items() if isinstance(stage, dict) else ():
            if old not in stage:
                continue
            if new in stage:
                raise InputError(f"{where}: stages.{name}: {old} is {new} now; give one of them")
            # in its place: the order of keys is that of the file
            renamed = {new if key == old else key: value for key, value in stage.items()}
            stage.clear()
            stage.update(renamed)
            if where:
                warnings.warn(
                    f"{where}: stages.{name}.{old} is called {new} now; the old name will be "
                    "refused by the next release",
                    FutureWarning,
                    stacklevel=2,
                )


def _check_paths(path: Path, recipe: Recipe) -> None:
    """Raises InputError where a name is none that a file system takes."""
    parts = recipe.parts
    images = (recipe.images,) if isinstance(recipe.images, str) else recipe.images
    named = {
        "model": (recipe.model,),
        "parts": (parts.encoder, parts.language) if parts else (),
        "data": recipe.data,
        "images": images,
        "out": (recipe.out,),
        "features": (recipe.features,),
    }
    for key, names in named.items():
        for name in names:
            if "\0" in name or not is_unicode(name):
                raise InputError(f"{path}: {key}: {quote(name)} is no path; write it anew")
            longest = max(len(part.encode()) for part in name.split("/"))
            if len(name.encode()) > _LONGEST or longest > _LONGEST_NAME:
                raise InputError(f"{path}: {key}: {quote(name)} is too long for a path")


def _resolve_folder(near: Path, name: str) -> Path:
    try:
        return (near / Path(name).expanduser()).resolve()
    except (OSError, RuntimeError) as error:  # no such user, links in a circle
        raise InputError(f"{quote(name)}: is no path here ({first_line(error)})") from None


def _resolve_data(recipe: Path, key: str, name: str) -> str:
    """A folder as an absolute path. Raises InputError where it was meant from another place.

    One that is nowhere is met when it is read; a plan can do without.
    """
    folder, here = _resolve_folder(recipe.parent, name), Path(name).absolute()
    if not is_folder(folder) and is_folder(here):
        flag = ", or --images, which is from where you are" if key == "images" else ""
        raise InputError(
            f"{recipe}: {key}: {name} is taken from the recipe's folder, and there is no {folder}; "
            f"for {here} give the whole path{flag}"
        )
    return str(folder)


def is_recipe(model: str) -> bool:
    """Whether the model to start from is named by the recipe that leaves it."""
    return model.endswith((".yaml", ".yml"))


def _resolve_model(near: Path, model: str) -> str:
    """A folder or recipe beside this one as an absolute path; a hub id has a slash too, and stays.

    Raises:
        InputError: there is no such recipe.
    """
    folder = _resolve_folder(near, model)
    if is_recipe(model):
        if not folder.is_file():
            raise InputError(f"model: {model}: there is no recipe {folder} to start from")
        return str(folder)
    is_folder = model.startswith((".", "/", "~")) or ("/" in model and folder.is_dir())
    return str(folder) if is_folder else model


def _check(path: Path, recipe: Recipe) -> None:
    if bool(recipe.model) == (recipe.parts is not None):
        raise InputError(f"{path}: give what to start from: either model or parts")
    if recipe.frames and recipe.parts is not None:
        raise InputError(f"{path}: frames: a model learns to read clips after pictures; give model")
    if recipe.frames and recipe.image_tokens not in ("", "rows"):
        raise InputError(f"{path}: image_tokens: a model of clips has a form of its own")
    if isinstance(recipe.images, tuple) and len(recipe.images) not in (0, 1, len(recipe.data)):
        raise InputError(
            f"{path}: images: {len(recipe.images)} folders for {len(recipe.data)} data sets; give "
            "one of all, or one for each in the order of data"
        )
    if not recipe.stages:
        raise InputError(f"{path}: names no stages; give at least one")
    for name, stage in recipe.stages.items():
        if name in _RESERVED or not re.fullmatch(r"\w[\w.-]*", name):
            raise InputError(f"{path}: stages.{name}: is no name for its folder; choose another")
        _check_stage(f"{path}: stages.{name}", stage)
        recipe.passes(f"{path}: stages.{name}", stage)
    if recipe.augment is not None:
        recipe.augment.check(f"{path}: augment")
    if recipe.truncate and not recipe.max_tokens:
        raise InputError(f"{path}: truncate: cuts answers at max_tokens, which sets no limit")
    if recipe.quantize and recipe.parts is not None:
        raise InputError(
            f"{path}: quantize: needs a model; train the adapter of these parts first, and start "
            "from the model that it leaves"
        )
    lora = any("lora" in stage.parts or stage.reinforce for stage in recipe.stages.values())
    if lora and recipe.trains_all:
        raise InputError(
            f"{path}: one stage trains lora or reinforces, another all of the language "
            "model or encoder; train these in a run of their own, and start the next from its model"
        )
    if recipe.quantize and recipe.trains_all:
        raise InputError(f"{path}: quantize: weights of 4 bits cannot be trained; train lora")


def _check_stage(where: str, stage: Stage) -> None:
    if (stage.steps is None) == (stage.epochs is None):
        raise InputError(f"{where}: give how long it lasts: either steps or epochs")
    kinds = [{"naming"}, *({*some} for some in _COMBINATIONS)]
    if stage.parts not in kinds:
        allowed = ", ".join(sorted({"naming", *("+".join(some) for some in _COMBINATIONS)}))
        raise InputError(f"{where}.trains: {stage.trains!r} is none of {allowed}")
    if stage.schedule == "flat" and stage.warmup + stage.decay > 1:
        raise InputError(f"{where}: warmup and decay are together more than all of its steps")
    if stage.trains == "naming":
        _check_naming(where, stage)
    elif not stage.questions:
        raise InputError(
            f"{where}.questions: asks nothing; give objectives and how many "
            "questions of each, such as {locpred: 4}"
        )
    for objective in stage.questions:
        if objective not in (known := [*objectives.names(), MIXED]):
            raise InputError(
                f"{where}.questions: unknown objective {objective!r}; known: {', '.join(known)}"
            )
    if stage.reinforce is not None:
        _check_reinforce(where, stage, stage.reinforce)
    if stage.standardize and not stage.parts & {"adapter", "naming"}:
        raise InputError(f"{where}.standardize: the stage does not train the adapter; leave it out")
    for part in stage.rates:
        if part not in stage.parts:
            raise InputError(f"{where}.rates.{part}: the stage does not train it")


def _check_naming(where: str, stage: Stage) -> None:
    for name in ("rates", "questions", "guidance", "readout"):
        if getattr(stage, name):
            raise InputError(f"{where}.{name}: naming has none; leave it out")


def _check_reinforce(where: str, stage: Stage, settings: Reinforce) -> None:
    if not stage.parts <= {"adapter", "lora"}:
        raise InputError(f"{where}.trains: reinforce trains adapter, lora or both of them")
    for objective in stage.questions:
        if objective not in ("locpred", "negpred"):
            raise InputError(
                f"{where}.questions.{objective}: has no reward that can be verified; "
                "reinforce asks locpred and negpred"
            )
    for name in ("guidance", "readout", "standardize"):
        if getattr(stage, name):
            raise InputError(f"{where}.{name}: is for answers that are given; leave it out")
    if not any(msgspec.structs.astuple(settings.rewards)):
        raise InputError(f"{where}.reinforce.rewards: weights nothing; give one more than 0")


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    shown = override if len(override) <= 200 else f"{override[:200]}…"
    if not equals:
        raise InputError(f"--set {shown}: expected key=value")
    value: Any = parse_yaml(text, f"--set {shown}: the value is not YAML", _Yaml) if text else ""
    *above, _ = names = key.split(".")
    if len(names) > _DEEPEST:
        raise InputError(f"--set {shown}: a recipe has no keys so deep")
    for name in reversed(names):
        value = {name: value}
    _rename_old_keys(value, f"--set {shown}")
    for _ in above:
        ((name, value),) = value.items()
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise InputError(f"--set {shown}: {name} has no keys of its own")
    tree.update(value)
    if len(names) == 3 and names[0] == "stages" and names[2] in _LENGTHS:
        for other in _LENGTHS - {names[2]}:  # the file's, which this one replaces
            tree.pop(other, None)
