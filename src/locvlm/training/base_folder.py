"""`base` in a run's folder: a whole model that the run starts from, where there is none elsewhere.

parts put together, an adapter is trained ─► base: what the adapter belongs to
an adapter, all of its model is trained   ─► base: the adapter merged into its own base
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from locvlm.distributed import partial_state
from locvlm.models import folders, load
from locvlm.models.image_tokens import form_of
from locvlm.shown.terminal import say
from locvlm.training.claim import BASE
from locvlm.training.engine.checkpoints import explain_write_errors
from locvlm.training.full_model import save_full_model
from locvlm.training.recipe import Recipe
from locvlm.training.start import Start, given_format, saved_dtype


def save_assembled(start: Start, recipe: Recipe, out: Path) -> Start:
    """The start with its base in a folder, where its parts were just put together for an adapter.

    Args:
        start: as `load_start` gives it.
        recipe: of the run.
        out: the run's folder.
    """
    if recipe.parts is None or recipe.trains_all:
        return start
    folder = _make_once(
        out, lambda path: save_full_model(start.model, start.processor, path, start.saved)
    )
    return replace(start, base=str(folder))


def merge_start(recipe: Recipe, out: Path) -> Recipe:
    """The recipe from a whole model, where it trains all of one and would start from an adapter.

    The adapter is merged into its base by the sums and the rounding of `locvlm merge`, and that is
    said once.

    Raises:
        InputError: there is no such model, or the adapter does not fit its base.
    """
    if recipe.parts is not None or not recipe.trains_all:
        return recipe
    folder, base = folders.resolve(recipe.model)
    if folder == base:
        return recipe

    def merge(path: Path) -> None:
        say(
            f"{recipe.model}: is an adapter, and all of its model is to be trained: merged into "
            f"its base, in {out / BASE}",
            file=sys.stderr,
        )
        loaded = load.load_exact(recipe.model, speech=given_format(recipe))
        dtype = saved_dtype(recipe, base)
        save_full_model(loaded.model.to(dtype), loaded.processor, path, dtype)
        form = form_of(loaded.processor)
        folders.ModelSettings(
            format=loaded.coordinates.name,
            options=loaded.coordinates.options,
            image_tokens=None if form == "rows" else form,
        ).write(path)

    return msgspec.structs.replace(recipe, model=str(_make_once(out, merge)))


def _make_once(out: Path, save: Callable[[Path], None]) -> Path:
    """`base` in `out`, written by the first process, there complete or not at all."""
    folder = (out / BASE).resolve()
    with partial_state().main_process_first():
        if not folder.is_dir():
            scratch = folder.with_suffix(".new")
            shutil.rmtree(scratch, ignore_errors=True)
            with explain_write_errors(scratch, "begins again"):
                save(scratch)
            scratch.replace(folder)
    return folder
