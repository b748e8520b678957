"""Which recipe a model is tuned by, where no file says it: settings by model, data and device.

LocVLM-Tiny trains its adapter and low-rank updates, as `recipes/tiny.yaml`; any other model
low-rank updates of its language model, as the `-lora` recipes. What comes of it is a recipe like
any other: `locvlm train` runs it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
import yaml
from msgspec.structs import replace

from locvlm.annotations.splits import VAL
from locvlm.instructions.dataset import Manifest
from locvlm.io.atomic import write_bytes
from locvlm.models.folders import UNTRAINED, names
from locvlm.training.epochs import resolve_epochs
from locvlm.training.recipe import LoraSettings, Recipe, Stage, Validation

STAGE = "tuning"  # the one stage of a recipe that is made
VISITS = 20  # of each image, at most: more learn the images by heart
# Objective -> questions per visit
_QUESTIONS = {
    "locpred": 4,
    "negpred": 3,
    "revloc": 4,
    "presence": 4,
    "spatial": 3,
    "multiple": 2,
    "category": 1,
    "caption": 1,
}
_HEADER = """\
# The recipe of this tuning; paths are seen from its folder. Run again, from here:
#   locvlm train recipe.yaml
"""


def make_recipe(model: str, manifest: Manifest, asked: str = VAL) -> Recipe:
    """The recipe for a model and a data set, as long as is worth it.

    Args:
        model: a shipped name, a hub id or a folder.
        manifest: of the data set.
        asked: split that the questions about the model come from.
    """
    shipped = model in names()
    images = 16 if torch.cuda.is_available() else 4
    stage = Stage(
        trains="adapter+lora" if shipped else "lora",
        steps=max(1, VISITS * manifest.pictures // images),
        images=images,
        learning_rate=3e-4 if shipped else 1e-4,
        schedule="cosine",
        warmup=0.05,
        questions=choose_questions(manifest),
        max_questions=12,
    )
    new = not shipped and not (Path(model) / "adapter_config.json").is_file()
    untrained = model == UNTRAINED  # it speaks no format yet
    return Recipe(
        data=(),
        out="",
        stages={STAGE: stage},
        model=model,
        format="ivb" if untrained else "",
        options={"bins": 224} if untrained else {},
        lora=LoraSettings(16, 32, ("all",)) if new else None,  # else they go on as they are
        # A state that is chosen by what the proof asks about would be proven too good
        validation=Validation(keep="last" if asked == VAL else "best"),
        cache=False,  # keeping what a frozen encoder gives pays after many visits alone
    )


def choose_questions(manifest: Manifest) -> dict[str, int]:
    """Objective -> questions per visit, of those that the data have; present and absent even."""
    asked = {
        name: _QUESTIONS.get(name, 2) for name in manifest.objectives if manifest.counts.get(name)
    }
    if "negpred" in asked and "locpred" in asked:
        present = manifest.counts["locpred"] / max(1, manifest.pictures)
        asked["negpred"] = max(1, min(asked["negpred"], round(present)))
    return asked


def count_steps(recipe: Recipe, manifest: Manifest) -> dict[str, int]:
    """The steps of each stage, also where it has epochs."""
    resolved = resolve_epochs(recipe, lambda *_: manifest.pictures)
    return {name: stage.total_steps for name, stage in resolved.stages.items()}


def share_steps(most: dict[str, int], steps: int) -> dict[str, int]:
    """So many steps of all stages together, shared out as `most` has them.

    >>> share_steps({"a": 10, "b": 30}, 8)
    {'a': 2, 'b': 6}
    """
    whole = sum(most.values())
    return {name: max(1, round(steps * each / whole)) for name, each in most.items()}


def shorten(recipe: Recipe, steps: dict[str, int]) -> Recipe:
    """The recipe with these steps of its stages."""
    stages = {
        name: replace(stage, steps=steps[name], epochs=None)
        for name, stage in recipe.stages.items()
    }
    return replace(recipe, stages=stages)


def write_recipe(path: Path, recipe: Recipe) -> None:
    """As YAML, without what is as by default."""
    tree = _without_defaults(recipe)
    tree["stages"] = {name: _without_defaults(one) for name, one in recipe.stages.items()}
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    write_bytes(path, (_HEADER + text).encode())


def _without_defaults(one: Recipe | Stage) -> dict[str, Any]:
    values = msgspec.to_builtins(one)
    fields = {each.name: each for each in msgspec.structs.fields(one)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if getattr(one, name) != fields[name].default and getattr(one, name) not in ((), {}, None)
    }
