"""The Hugging Face `Trainer`, visiting in order, with a task's loss and a JSONL log."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import ProgressCallback, Trainer, TrainerCallback, TrainingArguments

from locvlm.training.losses import Task
from locvlm.training.recipe import Stage


class LocTrainer(Trainer):
    """Trains what has `requires_grad` on a task; the figures of its loss are averaged per log."""

    def __init__(self, model: Any, task: Task, args: TrainingArguments, log: Path):
        self.task = task
        self.figures: dict[str, list[float]] = defaultdict(list)
        super().__init__(
            model=model,
            args=args,
            train_dataset=task.data,
            data_collator=lambda items: {"batch": items},
            callbacks=[JsonLines(log)],
        )
        self.remove_callback(ProgressCallback)
        self.add_callback(Progress())
        self.model_accepts_loss_kwargs = False  # ours is a mean per picture

    def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)  # the visits are already in order

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **_: Any) -> Any:
        """The task's loss."""
        # Trainer's own autocast wraps `model.forward`, which a task does not call
        with torch.autocast(self.args.device.type, torch.bfloat16):
            loss, figures = self.task.loss(unwrap(model), inputs["batch"])
        for name, value in figures.items():
            if not math.isnan(value):  # a share of nothing
                self.figures[name].append(value)
        return (loss, None) if return_outputs else loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """As `Trainer.log`, with the means since the last time."""
        if "loss" in logs:
            means = {name: sum(v) / len(v) for name, v in self.figures.items() if v}
            logs.update({name: round(value, 4) for name, value in means.items()})
            self.figures.clear()
        super().log(logs, *args, **kwargs)


class JsonLines(TrainerCallback):
    """Appends every log entry to a file, one JSON object per line.

    A resumed run goes on from its last checkpoint: lines after it are taken back first.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Cut what the resumed run will write again."""
        if self.path.exists():
            lines = self.path.read_text().splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            self.path.write_text("".join(kept))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """One line."""
        with self.path.open("a") as file:
            file.write(json.dumps({"step": state.global_step, **logs}) + "\n")


class Progress(ProgressCallback):
    """The usual bar, with the loss beside it; the figures are in the JSONL log."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """The last loss."""
        if self.training_bar is not None and "loss" in logs:
            self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}")


def unwrap(model: Any) -> Any:
    """The LLaVA model inside a PEFT wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def arguments(stage: Stage, out: Path, *, save_steps: int, seed: int) -> TrainingArguments:
    """Settings of a stage: bf16 autocast, warm-up, a flat stretch, a decay to a tenth."""
    naming = stage.trains == "naming"
    decay = max(1, round(stage.steps * stage.decay))
    warmup = max(1, round(stage.steps * stage.warmup))
    return TrainingArguments(
        output_dir=str(out),
        max_steps=stage.steps,
        per_device_train_batch_size=stage.pictures if naming else 1,
        gradient_accumulation_steps=1 if naming else stage.pictures,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": decay, "min_lr_ratio": 0.1},
        warmup_steps=warmup,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=max(1, min(10, stage.steps // 20)),
        save_steps=save_steps,
        save_total_limit=2,
        save_only_model=False,
        seed=seed,
        data_seed=seed,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        report_to="none",
    )
