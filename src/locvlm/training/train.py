"""A run from its recipe: features once, then the stages, then an adapter to load.

    recipe ─► features ─► naming ─► captions ─► locations ─► out/model
                          adapter   adapter     adapter + LoRA

Run the same command again after a kill: finished stages are not repeated, an unfinished one goes
on from its last checkpoint, through the same visits, to the same loss curve.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from locvlm.compat.fsdp_state import reset_sharding
from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.io.folder_lock import hold_folder
from locvlm.models.chat_template import image_tokens
from locvlm.models.learned_images import FILE
from locvlm.models.twin import is_twin
from locvlm.models.video_llava.processor import frames_of
from locvlm.progress import show_status
from locvlm.runtime.precision import choose_precision
from locvlm.shown.terminal import say
from locvlm.training.adapters import add_adapter, load_adapter, read_lora, resolve_lora
from locvlm.training.base_folder import merge_start, save_assembled
from locvlm.training.claim import (
    check_claim,
    check_out,
    check_sources,
    claim,
    claim_sources,
    has_learned,
)
from locvlm.training.data.asked import check_asked, find_unasked
from locvlm.training.data.dataset import TrainingData, read_training_data
from locvlm.training.data.feature_cache import FeatureStore, can_cache_features, encoder_key
from locvlm.training.data.skipped_images import LISTED
from locvlm.training.data.unreadable import find_unreadable_clips, leave_out, report_unreadable
from locvlm.training.data.unseen import leave_out_unseen, report_unseen
from locvlm.training.earlier import describe_earlier_changes, start_from_earlier
from locvlm.training.engine import plot, time_limit
from locvlm.training.engine.arithmetic import announce_arithmetic
from locvlm.training.engine.checkpoints import explain_write_errors
from locvlm.training.engine.sharding import is_sharded
from locvlm.training.engine.trackers import check_trackers
from locvlm.training.learned import write_learned
from locvlm.training.recipe import Recipe, views_change
from locvlm.training.recipe_file import read_recipe
from locvlm.training.stage_tasks import StageTasks
from locvlm.training.stages import TrainingRun
from locvlm.training.start import Start, load_start
from locvlm.training.validation.held_out import prepare_held_out
from locvlm.training.validation.states import remove_working_states


def train(
    recipe_path: Path, overrides: list[str] | None = None, *, max_seconds: float | None = None
) -> Path:
    """Run (or go on with) a recipe. Returns the folder of the trained model.

    In `max_seconds`, if given: a stage ends at a step that leaves time for its end, and is done.

    Raises:
        InputError: the recipe, its data or what it starts from cannot be used; or `out` holds a
            run of another recipe.
    """
    ends = None if max_seconds is None else time_limit.now() + max_seconds
    return train_recipe(read_recipe(recipe_path, overrides), ends)


def train_recipe(recipe: Recipe, ends: float | None = None) -> Path:
    """As `train`, of a recipe that was read already; `ends`: when, on the clock of `time_limit`."""
    changes = describe_earlier_changes(recipe)
    recipe, out = start_from_earlier(recipe), Path(recipe.out)
    if changes and partial_state().is_main_process:
        say(f"warning: {changes}", file=sys.stderr)
    with show_status("Reading the data"):
        data = _read_data(recipe)  # before anything is written: a wrong path claims no folder
    if data is None:
        return out / "model"
    alone = hold_folder(out, "trains") if partial_state().is_main_process else nullcontext()
    with alone:
        return _run_stages(recipe, data, out, ends)


def _run_stages(recipe: Recipe, data: TrainingData, out: Path, ends: float | None) -> Path:
    with partial_state().main_process_first():
        claim(out, recipe)
        announce_arithmetic(recipe, out)
        if partial_state().is_main_process:
            claim_sources(out, recipe)
    given, recipe = recipe, merge_start(recipe, out)
    with show_status("Loading the model"):
        start = _load_start(recipe, out)
        _move_to_gpu(start, recipe)
    _report_lora(recipe, start)
    _report_views(recipe, data)
    _report_unasked(recipe, data)
    unreadable = {} if frames_of(start.processor) is None else find_unreadable_clips(data)
    data = leave_out(data, unreadable)
    if partial_state().is_main_process:
        report_unreadable(unreadable, out)
    data, unseen = leave_out_unseen(data, start.processor)
    if partial_state().is_main_process:
        report_unseen(unseen, out)
        for line in write_learned(out, given, data):
            say(f"warning: {line}", file=sys.stderr)
    features = _cache_features(recipe, out, data, start)
    held_out = prepare_held_out(recipe, start.processor)
    model, lora = _prepare_model(recipe, start)
    run = TrainingRun(recipe, data, start, features, model, lora, out, held_out, ends)
    run.check()
    _report_epochs(run)
    for name, stage in recipe.stages.items():
        run.lora = run.lora or "lora" in stage.parts
        if (out / name / "model").is_dir():
            remove_working_states(out / name)  # a kill may have come before that
        else:
            run.train_stage(name)
            if is_sharded(recipe):  # the model is in pieces, cut for what this stage trained
                reset_sharding()
                run.start = _load_start(recipe, out)
                run.model, _ = _prepare_model(recipe, run.start)
        # Also when it was just made: the next stage starts from what a resumed run would read
        run.load_stage(out / name / "model")
    return _finish(recipe, out)


def _load_start(recipe: Recipe, out: Path) -> Start:
    """What the run starts from, with the places of its own in `out`."""
    start = save_assembled(load_start(recipe), recipe, out)
    return replace(start, learned=out / FILE)


def check_recipe(recipe: Recipe) -> None:
    """Raise InputError for what `train_recipe` would refuse, in seconds; writes nothing.

    Not seen are pictures that are damaged, questions that are too long, and what `naming` needs.
    """
    recipe = start_from_earlier(recipe)
    if (data := _read_data(recipe)) is None:
        return
    start = load_start(recipe)
    data, _ = leave_out_unseen(data, start.processor)
    StageTasks(recipe, data, start, None, _prepare_model(recipe, start)[0]).check()


def _read_data(recipe: Recipe) -> TrainingData | None:
    """The recipe's data, unless something else is wrong already; None where a run has ended.

    That is one that was finished on other data: there is nothing more to learn, and that is said.
    """
    check_trackers(recipe.report_to)
    _require_trl(recipe)
    check_out(Path(recipe.out), recipe)
    check_claim(Path(recipe.out), recipe)
    choose_precision(recipe.precision)
    if ended := check_sources(Path(recipe.out), recipe):
        if partial_state().is_main_process:
            say(f"warning: {ended}", file=sys.stderr)
        return None
    data = read_training_data(recipe)
    if not has_learned(Path(recipe.out)):  # an older version has begun runs that it warned of
        check_asked(recipe, data.held)
    return data


def _report_views(recipe: Recipe, data: TrainingData) -> None:
    """Say what is shown otherwise than `augment` lets one expect."""
    if recipe.augment is None or not partial_state().is_main_process:
        return
    for name, stage in recipe.stages.items():
        if not views_change(recipe, stage):
            say(f"stage {name}: sees whole pictures as they are", file=sys.stderr)
    if count := sum(origin is None for origin in data.origins):
        say(
            f"augment.crop: {count} conversations were read from texts; their pictures are shown "
            "whole",
            file=sys.stderr,
        )


def _report_unasked(recipe: Recipe, data: TrainingData) -> None:
    """Say which questions there are none of, and which data and pictures are not used."""
    if partial_state().is_main_process:
        for line in find_unasked(recipe, data.held):
            say(f"warning: {line}", file=sys.stderr)
        for line in list(data.lost.values())[:LISTED]:
            say(f"skipped: {line}", file=sys.stderr)
        if data.lost:
            say(f"pictures left out, for they are gone: {len(data.lost)}", file=sys.stderr)
        if data.held_back:
            path, folder = next(iter(data.held_back.items()))
            say(
                f"pictures left out, for another data set holds them out: {len(data.held_back)}, "
                f"such as {path}, of another split in {folder}",
                file=sys.stderr,
            )


def _report_epochs(run: StageTasks) -> None:
    """Say how many steps the epochs of its stages are."""
    if partial_state().is_main_process:
        for line in run.describe_epochs():
            say(line, file=sys.stderr)


def _require_trl(recipe: Recipe) -> None:
    """Said before hours of other stages, not after them."""
    for name, stage in recipe.stages.items():
        if stage.reinforce and find_spec("trl") is None:
            raise InputError(f"stage {name}: reinforce needs TRL; pip install 'locvlm[reinforce]'")


def _finish(recipe: Recipe, out: Path) -> Path:
    """The plot of the losses, and the last stage's model as that of the run."""
    final, scratch = out / "model", out / "model.new"
    if partial_state().is_main_process:
        shutil.rmtree(scratch, ignore_errors=True)
        with explain_write_errors(scratch, "copies the trained model there"):
            plot.plot_losses(out, list(recipe.stages))
            shutil.copytree(out / list(recipe.stages)[-1] / "model", scratch)
        if final.exists():  # what a user has put beside it stays
            shutil.copytree(scratch, final, copy_function=os.replace, dirs_exist_ok=True)
            shutil.rmtree(scratch)
        else:
            scratch.replace(final)
    partial_state().wait_for_everyone()
    return final


def _prepare_model(recipe: Recipe, start: Start) -> tuple[Any, bool]:
    """The model as it is trained, and whether it has low-rank updates already."""
    if recipe.trains_all:
        return start.model, False
    set_seed(recipe.seed)  # of the low-rank updates' first values
    tuned = add_adapter(start.model, resolve_lora(recipe, start.adapter))
    lora = start.adapter is not None and load_adapter(tuned, start.adapter)
    return tuned if is_sharded(recipe) else tuned.to(start.model.device), lora


def _report_lora(recipe: Recipe, start: Start) -> None:
    """Of low-rank updates that the recipe has not described."""
    if recipe.lora is None and start.adapter is not None and not recipe.trains_all:
        lora = read_lora(start.adapter)
        if lora is not None and partial_state().is_main_process:
            say(
                f"lora: as {recipe.model} has it: rank {lora.rank}, alpha {lora.alpha:g}, targets "
                f"{', '.join(lora.targets)}",
                file=sys.stderr,
            )


def _move_to_gpu(start: Start, recipe: Recipe) -> None:
    """On the GPU, if there is one; of a model too large for it, only what computes features."""
    if recipe.quantize or not torch.cuda.is_available():
        return
    if not is_sharded(recipe):
        start.model.to("cuda")
    elif can_cache_features(start.model, start.processor):
        start.model.model.vision_tower.to("cuda")


def _cache_features(
    recipe: Recipe, out: Path, data: TrainingData, start: Start
) -> FeatureStore | None:
    """The frozen encoder's outputs, where it is frozen and its model lets them be handed in."""
    stages = recipe.stages.values()
    trained = any("encoder" in stage.parts for stage in stages)
    # TRL opens the pictures itself
    needed = any(s.reinforce is None and not views_change(recipe, s) for s in stages)
    if (
        trained
        or not needed
        or not recipe.cache
        or not can_cache_features(start.model, start.processor)
    ):
        return None
    model: Any = start.model
    layers = model.config.vision_feature_layer
    layers = 1 if isinstance(layers, int) else len(layers)
    tokens = image_tokens(start.processor) * (2 if is_twin(start.processor) else 1)
    shape = (tokens, model.config.vision_config.hidden_size * layers)
    key = encoder_key(model, start.processor)
    with partial_state().main_process_first():  # the others find them computed
        store = FeatureStore(Path(recipe.features or out / "features"), data.sizes, shape, key)
        store.compute(model, start.processor, flip=recipe.flip)
    for words in store.skipped.describe_odd():
        say(words, file=sys.stderr)
    return store
