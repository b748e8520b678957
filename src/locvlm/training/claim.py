"""One folder, one recipe: a changed recipe must not go on from the old one's checkpoints.

What changes no result may change: where and how a run is computed. Pictures per pass, the layout of
rows, compiled layers and the number of processes change the order of sums, so the last digits, as
going on with another device does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.instructions.dataset import MANIFEST, images_folder
from locvlm.io.atomic import ensure_dir, write_bytes
from locvlm.io.folder_lock import LOCK
from locvlm.io.outputs import Reads, check_output_folder
from locvlm.models.folders import user_folders
from locvlm.models.learned_images import FILE as LEARNED
from locvlm.training.engine.arithmetic import ARITHMETIC_FILE
from locvlm.training.recipe import Recipe
from locvlm.training.recipe_file import decode_recipe
from locvlm.training.run_sources import (
    find_source_changes,
    has_same_data,
    read_sources,
    record_sources,
)

CLAIM = "recipe.json"  # in `out`: the recipe whose run it holds, as it was begun
BASE = "base"  # in `out`: the model that the run has made to start from (`base_folder`)
# Keys of a recipe that change nothing but rounding. `precision` is none of them: it also says in
# how many bits the model is saved
FREE = frozenset(
    {
        "out",  # the folder may have been moved, or be named from elsewhere
        "images",  # likewise, and they are checked by content
        "cache",
        "features",
        "layout",
        "batch",
        "gradient_checkpointing",
        "compile",
        "distributed",  # what cannot be read in another form is refused by `checkpoints`
        "workers",
        "save_steps",
        "report_to",
    }
)
_ORDERED = ("stages", "questions")  # the order of their keys counts
_SHOWN = 3  # changes that an error names
_ABSENT = object()


def check_out(out: Path, recipe: Recipe) -> None:
    """Raise InputError unless `out` is new or empty, or holds a run, and nothing is read there."""
    parts = (recipe.parts.encoder, recipe.parts.language) if recipe.parts else ()
    data = [Path(name) for name in recipe.data]
    images = [
        images_folder(folder, given)
        for folder, given in recipe.data_folders
        if (folder / MANIFEST).is_file()
    ]
    recipes = {path.name for path in out.glob("*.y*ml")}  # the recipe may lie in its run
    check_output_folder(
        out,
        Reads([*data, *images, *user_folders(recipe.model, *parts)]),
        is_own=lambda folder: (folder / CLAIM).exists(),
        leftovers={LOCK, *recipes},
        flag="out",
    )


def check_claim(out: Path, recipe: Recipe) -> None:
    """Raise InputError where `out` holds what was learned by a recipe with another result."""
    changes = find_changes(out, recipe)
    if not changes or not has_learned(out):
        return
    more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    raise InputError(
        f"{out}: holds a run of another recipe ({out / CLAIM}): {', '.join(changes[:_SHOWN])}"
        f"{more}; go on with its values, or choose another out"
    )


def check_sources(out: Path, recipe: Recipe) -> str:
    """What has changed under a finished run, for people; empty where nothing has.

    Raises:
        InputError: it has under one that is begun, whose rest would be learned from something else.
    """
    if not has_learned(out) or not (changes := find_source_changes(out, recipe)):
        return ""
    what = f"{out}: since this run was begun, {'; '.join(changes)}"
    if is_finished(out, recipe):
        return f"{what}; its model is of before: choose another out to train on what there is now"
    raise InputError(
        f"{what}; put back what was there, or choose another out (or remove this one) to begin "
        "with what there is now"
    )


def is_finished(out: Path, recipe: Recipe) -> bool:
    """Whether all stages of the run in `out` are done."""
    return all((out / name / "model").is_dir() for name in recipe.stages)


def claim(out: Path, recipe: Recipe) -> None:
    """Write down whose folder it is. A run that failed before it learned gives its folder up."""
    if find_changes(out, recipe):
        shutil.rmtree(out / BASE, ignore_errors=True)  # perhaps of other parts
        (out / ARITHMETIC_FILE).unlink(missing_ok=True)
        (out / LEARNED).unlink(missing_ok=True)
    elif (out / CLAIM).exists():
        return
    write_bytes(ensure_dir(out) / CLAIM, msgspec.json.format(msgspec.json.encode(recipe), indent=2))


def claim_sources(out: Path, recipe: Recipe) -> None:
    """Write down what is learned from, unless that is known of what was learned already."""
    before, learned = read_sources(out), has_learned(out)
    if before is not None and learned:
        return
    record_sources(out, recipe)
    if not learned and before != read_sources(out):  # merged of models that are no more
        shutil.rmtree(out / BASE, ignore_errors=True)
        (out / LEARNED).unlink(missing_ok=True)


def find_changes(out: Path, recipe: Recipe) -> list[str]:
    """What tells a recipe from the one whose run `out` holds, for people; nothing: it may go on."""
    if not (out / CLAIM).exists():
        return []
    try:  # not as text: that of an older version has fewer keys
        before = decode_recipe((out / CLAIM).read_bytes())
    except InputError:
        return ["it cannot be read"]
    then, now = _result_settings(before), _result_settings(recipe)
    if then["data"] != now["data"] and has_same_data(out, recipe):
        then["data"] = now["data"]  # it was moved
    return list(_changes(then, now, ""))


def _result_settings(recipe: Recipe) -> dict[str, Any]:
    """What decides the result, as JSON has it."""
    tree = msgspec.json.decode(msgspec.json.encode(recipe))
    return {key: value for key, value in tree.items() if key not in FREE}


def _changes(before: Any, now: Any, where: str) -> Iterator[str]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        if before != now:
            yield f"{where}{_describe_change(before, now)}"
        return
    for key in before | now:
        below = f"{where}.{key}" if where else key
        yield from _changes(before.get(key, _ABSENT), now.get(key, _ABSENT), below)
    ordered = where.rpartition(".")[2] in _ORDERED
    if ordered and before.keys() == now.keys() and list(before) != list(now):
        yield f"the order of {where}"


def _describe_change(before: Any, now: Any) -> str:
    """Both values, where they are short; lists and mappings are not."""
    if before is _ABSENT:
        return " is new"
    if now is _ABSENT:
        return " is gone"
    if isinstance(before, list | dict) or isinstance(now, list | dict):
        return ""
    there, here = (msgspec.json.encode(value).decode() for value in (before, now))
    return f" ({there} there, {here} here)"


def has_learned(out: Path) -> bool:
    """Whether a stage has come to its first line in the log, or further."""
    left = ("*/log.jsonl", "*/checkpoint-*", "*/model", "model")
    return any(True for pattern in left for _ in out.glob(pattern))
