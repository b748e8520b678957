"""The Hugging Face `Trainer`, visiting in order, with a task's loss and a JSONL log."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object, send_to_device
from peft import PeftModel
from torch import nn
from torch.utils.data import SequentialSampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from locvlm.compat.fsdp_state import CpuFsdpTrainer
from locvlm.compat.gradient_checkpointing import SETTING, checkpointing_settings
from locvlm.compat.trainer_hooks import HookedTrainer
from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.progress import track
from locvlm.runtime.precision import choose_precision
from locvlm.training.adapters import is_adapter_weight, trained_part
from locvlm.training.auxiliary.readout import Readout, ReadoutSteps
from locvlm.training.data.batching import count_workers
from locvlm.training.data.layouts import TrainingBatch
from locvlm.training.engine.finite import CheckFinite
from locvlm.training.engine.sharding import (
    gather_weights,
    mixed_precision_settings,
    sharding_settings,
)
from locvlm.training.engine.standardization import (
    PICTURES,
    Moments,
    Standardization,
    measure_moments,
)
from locvlm.training.engine.throughput import ThroughputMeter, Work, peak_of
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.tasks.base import SUMMED_FIGURES, StageTask


class PartRatesTrainer(Trainer):
    """The optimizer of a stage, whose parts may have rates of their own."""

    stage: Stage
    optimizer: Any

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """As `Trainer`'s, with a rate per part."""
        if self.optimizer is None:
            model = self.model if model is None else model
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, model)
            self.optimizer = kind(self.parameter_groups(model), **settings)
        return self.optimizer

    def parameter_groups(self, model: Any) -> list[dict[str, Any]]:
        """Parameters of one rate and decay each; biases and norms do not decay."""
        decaying = set(self.get_decay_parameter_names(model))
        groups: dict[tuple[float, float], list[Any]] = defaultdict(list)
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                rate = self.stage.rates.get(trained_part(name), self.args.learning_rate)
                decay = self.args.weight_decay if name in decaying else 0.0
                groups[rate, decay].append(parameter)
        return [
            {"params": parameters, "lr": rate, "weight_decay": decay}
            for (rate, decay), parameters in groups.items()
        ]


class LocTrainer(PartRatesTrainer, HookedTrainer, CpuFsdpTrainer):
    """Trains what has `requires_grad` on a task; its figures are put together per log."""

    standardization: Standardization | None = None  # of the adapter's inputs

    def __init__(
        self,
        model: Any,
        task: StageTask,
        args: TrainingArguments,
        stage: Stage,
        log: Path,
        work: Work | None = None,
    ):
        self.task, self.stage = task, stage
        self.finite = CheckFinite()
        self.figures: dict[str, list[torch.Tensor | float]] = defaultdict(list)
        self.meter = ThroughputMeter(work, peak_of(args.device))
        super().__init__(
            model=model,
            args=args,
            train_dataset=task.data,
            data_collator=lambda items: {"batch": task.batch(items)},
            callbacks=[JsonLines(log), self.finite],
        )
        self.model_accepts_loss_kwargs = False  # ours is a mean per picture
        if task.readout is not None:
            task.readout.to(args.device)
            self.add_callback(ReadoutSteps(task.readout))

    def build_sampler(self) -> SequentialSampler:
        """The visits are already in order."""
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        """As `Trainer`'s, but none of weights that may be broken."""
        self.finite.check(self.args, self.state)
        with self.standardization.fold_for_saving() if self.standardization else nullcontext():
            super().save_checkpoint(*args, **kwargs)
        folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        for part in self._saved_parts() if self.args.should_save else ():
            part.save(folder)

    def save_weights(self, folder: str | None = None, state: Any = None) -> None:
        """As `Trainer`'s; a whole model by the names of its modules, by which it is read again.

        `save_pretrained` alone writes the names of older versions, of which `Trainer` finds none.
        """
        if isinstance(self.model, PeftModel) or self.is_fsdp_enabled or self.is_deepspeed_enabled:
            super().save_weights(folder, state)
        elif self.args.should_save:
            self.model.save_pretrained(folder, state_dict=state, save_original_format=False)

    def check_loaded(self, result: Any) -> None:
        """Where `Trainer` warns, and goes on without what was learned, this is an error."""
        missing = set(result.missing_keys) - set(self.model.all_tied_weights_keys)
        if lost := sorted(missing | set(result.unexpected_keys)):
            raise InputError(
                f"{self.args.output_dir}: its last checkpoint holds other weights than the model "
                f"has ({lost[0]}, {len(lost)} in all); remove the folder to begin its stage again"
            )

    def load_checkpoint(self, checkpoint: str, *args: Any, **kwargs: Any) -> None:
        """As `Trainer`'s, with what is kept beside the model."""
        super().load_checkpoint(checkpoint, *args, **kwargs)
        for part in self._saved_parts():
            part.load(Path(checkpoint))

    def _saved_parts(self) -> list[Readout | Standardization]:
        """What a checkpoint holds beside the model."""
        return [part for part in (self.task.readout, self.standardization) if part is not None]

    def measure_inputs(self, linear: nn.Linear) -> Moments:
        """Of what a layer reads in the stage's first visits, as the main process sees them."""
        moments = Moments.neutral(linear.in_features)
        if partial_state().is_main_process:
            numbers = range(min(PICTURES, len(self.task.data)))  # type: ignore[arg-type]
            visits = track(numbers, "Measuring the adapter's inputs")
            moments = measure_moments(linear, (partial(self._run_visit, visit) for visit in visits))
        return moments.broadcast_moments()

    def _run_visit(self, number: int) -> None:
        batch = send_to_device(self.task.batch([self.task.data[number]]), self.args.device)
        with self._autocast():
            self.task.loss(self.model, batch)

    def parameter_groups(self, model: Any) -> list[dict[str, Any]]:
        """As those of its parts, with what is trained beside the model."""
        groups = super().parameter_groups(model)
        if self.task.readout is not None:
            parameters = list(self.task.readout.parameters())
            rate = self.args.learning_rate
            groups.append({"params": parameters, "lr": rate, "weight_decay": 0.0})
        return groups

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted here, which would take time at every pass; `throughput` does."""
        return 0

    def spread_weights(self) -> dict[str, Any] | None:
        """Those that no process has whole, in the main process; all must take part.

        None where every process has the whole model. Of a PEFT model, what its folder holds.
        """
        if self.is_deepspeed_enabled:
            return self.accelerator.get_state_dict(self.deepspeed) or {}
        if not self.is_fsdp_enabled:
            return None
        tuned = isinstance(self.model, PeftModel)
        state = self.model.state_dict(keep_vars=True)
        return gather_weights({n: t for n, t in state.items() if not tuned or is_adapter_weight(n)})

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        """The task's loss."""
        with self._autocast():
            loss, figures = self.task.loss(model, inputs["batch"])
        self.finite.losses.append(loss.detach())
        for name, value in figures.items():
            self.figures[name].append(value)
        if isinstance(inputs["batch"], TrainingBatch):
            self.meter.add(inputs["batch"])
        return (loss, None) if return_outputs else loss

    def _autocast(self) -> torch.autocast:
        """The stage's arithmetic."""
        # The adapter alone (naming) is called past `model.forward`, which Trainer's autocast wraps
        half = torch.float16 if self.args.fp16 else torch.bfloat16
        mixed = self.args.fp16 or self.args.bf16
        return torch.autocast(self.args.device.type, half, enabled=mixed)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """As `Trainer.log`, with the figures of all processes since the last time."""
        self.finite.check(self.args, self.state)
        if "loss" in logs or "train_loss" in logs:  # the last steps may not have been logged
            logs.update(self._gather_figures())
            self.figures.clear()
        if "loss" in logs and self.meter.images:
            logs.update(self.meter.figures(partial_state().num_processes))
        super().log(logs, *args, **kwargs)

    def _gather_figures(self) -> dict[str, float]:
        """Means; of what is counted, sums."""
        own = {name: _to_floats(values) for name, values in self.figures.items()}
        merged: dict[str, list[float]] = defaultdict(list)
        for figures in gather_object([own]):
            for name, values in figures.items():
                merged[name] += values
        return {
            name: round(sum(v) / (1 if name in SUMMED_FIGURES else len(v)), 4)
            for name, v in merged.items()
            if v
        }


def _to_floats(values: list[torch.Tensor | float]) -> list[float]:
    """Those that are numbers, not shares of nothing; a GPU is asked once for all of them."""
    if isinstance(values[0], torch.Tensor):
        values = torch.stack(values).tolist()  # type: ignore[arg-type]
    return [float(value) for value in values if not math.isnan(value)]


class JsonLines(TrainerCallback):
    """Appends every log entry to a file, one JSON object per line.

    A resumed run goes on from its last checkpoint: lines after it are taken back first.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Cut what the resumed run will write again."""
        if state.is_world_process_zero and self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            lines = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            self.path.write_text("".join(lines))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One line."""
        if state.is_world_process_zero:
            with self.path.open("a") as file:
                file.write(json.dumps({"step": state.global_step, **logs}) + "\n")


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
        max_steps=stage.steps,
        per_device_train_batch_size=recipe.batch_of(stage, batch),
        gradient_accumulation_steps=passes,
        learning_rate=stage.learning_rate,
        warmup_steps=round(stage.steps * stage.warmup),
        **_schedule_settings(stage),
        weight_decay=stage.weight_decay,
        max_grad_norm=1.0,
        bf16=precision == "bf16",
        fp16=precision == "fp16",  # with a scaled loss
        **checkpointing_settings(recipe.gradient_checkpointing and not naming),
        use_cpu=not gpu,
        # LLaVA's adapter reads an earlier layer of the encoder than its last
        ddp_find_unused_parameters="encoder" in stage.parts,
        logging_steps=max(1, min(10, stage.steps // 20)),
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
    decay = max(1, round(stage.steps * stage.decay))
    return {
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {"num_decay_steps": decay, "min_lr_ratio": 0.1},
    }
