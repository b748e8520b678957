"""A stage of a recipe as the `TrainingArguments` of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from locvlm.compat.gradient_checkpointing import SETTING, checkpointing_settings
from locvlm.distributed import partial_state
from locvlm.runtime.precision import choose_precision
from locvlm.training.data.batching import count_workers
from locvlm.training.engine.sharding import mixed_precision_settings, sharding_settings
from locvlm.training.recipe import Recipe, Stage


def build_arguments(
    stage: Stage, out: Path, recipe: Recipe, model: Any = None, batch: int = 1
) -> TrainingArguments:
    """Settings of a stage, for this process of all that take part.

    Args:
        stage: one of the recipe's.
        out: its folder.
        recipe: of the run.
        model: as it is trained.
        batch: pictures per pass where the recipe leaves it open.

    Raises:
        InputError: the pictures of a step cannot be shared out evenly.
    """
    shared = stage_settings(stage, out, recipe, batch)
    sharding = sharding_settings(recipe, model, checkpointing=SETTING in shared)
    if "fsdp" in sharding:  # which does it itself
        shared.pop(SETTING, None)
        shared.pop(f"{SETTING}_kwargs", None)
    arguments = TrainingArguments(**shared, **sharding)
    if arguments.fsdp:
        arguments.fsdp_plugin_args |= mixed_precision_settings(recipe)
    return arguments


def stage_settings(stage: Stage, out: Path, recipe: Recipe, batch: int = 1) -> dict[str, Any]:
    """Those of any trainer of transformers, by name. As `arguments`."""
    naming = stage.trains == "naming"
    precision = choose_precision(recipe.precision).name
    passes = recipe.passes(f"stage {out.name}", stage, partial_state().num_processes, batch)
    gpu, workers = torch.cuda.is_available(), count_workers(recipe)
    return dict(
        output_dir=str(out),
        max_steps=stage.total_steps,
        per_device_train_batch_size=recipe.batch_of(stage, batch),
        gradient_accumulation_steps=passes,
        learning_rate=stage.learning_rate,
        warmup_steps=round(stage.total_steps * stage.warmup),
        **_schedule_settings(stage),
        weight_decay=stage.weight_decay,
        max_grad_norm=1.0,
        bf16=precision == "bf16",
        fp16=precision == "fp16",  # with a scaled loss
        **checkpointing_settings(recipe.gradient_checkpointing and not naming),
        use_cpu=not gpu,
        # LLaVA's adapter reads an earlier layer of the encoder than its last
        ddp_find_unused_parameters="encoder" in stage.parts,
        logging_steps=max(1, min(10, stage.total_steps // 20)),
        save_steps=recipe.save_steps,
        save_total_limit=2,
        save_only_model=False,
        seed=recipe.seed,
        data_seed=recipe.seed,
        remove_unused_columns=False,
        logging_nan_inf_filter=False,  # it asks the GPU at every pass; `LocTrainer` looks itself
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=4 if workers else None,
        dataloader_pin_memory=gpu,
        accelerator_config={"non_blocking": gpu},
        report_to=list(recipe.report_to) or "none",
        project="locvlm",
        run_name=f"{out.parent.name}/{out.name}",
    )


def _schedule_settings(stage: Stage) -> dict[str, Any]:
    if stage.schedule == "cosine":
        return {"lr_scheduler_type": "cosine"}
    decay = max(1, round(stage.total_steps * stage.decay))
    return {
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {"num_decay_steps": decay, "min_lr_ratio": 0.1},
    }
