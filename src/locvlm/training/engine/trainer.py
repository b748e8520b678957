"""The Hugging Face `Trainer`, visiting in order, with a task's loss and a JSONL log."""

from __future__ import annotations

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
from transformers import TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from locvlm.compat.fsdp_state import CpuFsdpTrainer
from locvlm.compat.trainer_hooks import HookedTrainer
from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.progress import track
from locvlm.training.adapters import is_adapter_weight
from locvlm.training.auxiliary.readout import Readout, ReadoutSteps
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine.checkpoints import explain_write_errors
from locvlm.training.engine.finite import CheckFinite
from locvlm.training.engine.json_lines import JsonLines
from locvlm.training.engine.part_rates import PartRatesTrainer
from locvlm.training.engine.sharding import gather_weights
from locvlm.training.engine.standardization import (
    MEASURED_IMAGES,
    Moments,
    Standardization,
    measure_moments,
)
from locvlm.training.engine.throughput import ThroughputMeter, Work, peak_of
from locvlm.training.recipe import Stage
from locvlm.training.tasks.base import SUMMED_FIGURES, StageTask


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
        folder = Path(self.args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        with explain_write_errors(folder):
            with self.standardization.fold_for_saving() if self.standardization else nullcontext():
                super().save_checkpoint(*args, **kwargs)
            for part in self._saved_parts() if self.args.should_save else ():
                part.save(folder)

    def save_now(self) -> None:
        """A checkpoint of the steps that are done, wherever an error has ended the next one."""
        self.finite.losses.clear()  # of a step that was not done
        self.finite.check_weights(self.args, self.state, self.model)
        self.save_checkpoint(self.model, trial=None)
        self.callback_handler.on_save(self.args, self.state, self.control)

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
            numbers = range(min(MEASURED_IMAGES, len(self.task.data)))  # type: ignore[arg-type]
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
