"""What is learned per second, against TRL's `SFTTrainer` on the same model, data and order.

    python benchmarks/train.py                             LocVLM-Tiny on the demo's photos
    python benchmarks/train.py --pictures 64 --steps 60    as a GPU likes it
    python benchmarks/train.py --model 7b --pictures 4     LLaVA-1.5-7B's shape, random weights
    python benchmarks/train.py --model 7b --small          the same at toy size

Needs `pip install trl datasets` (TRL 1.16). All sides tune adapter and low-rank updates with the
trainer's own settings of optimizer, rate and precision; a step is `--pictures` pictures with
`--questions` questions each. Computed is on the GPU, where there is one.

    trl        prompt and completion per question, the picture read anew for each
    ours       `locvlm train`: a row per picture, the frozen encoder's outputs kept where possible
    no cache   the same, but pictures pass the encoder at every step

Each side runs in a process of its own, one after the other. Prints what passed per second once the
first steps (`--warmup`) are over, the ratio to TRL (on a CPU by its own time, whoever else uses
the machine), memory (of the GPU, else of the process), the
share of the card's peak where it is known, and how far the losses are apart. Tokens are those
that a side must compute, padding aside: TRL's hold the picture once per question. TRL's loss is a
mean over the tokens of a step, ours one over its pictures: with one picture per step the same. In
bfloat16 PEFT's passes, which TRL uses, lose small updates to rounding, and ours do not: to see that
all else is the same, compare with `--precision fp32`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import SequentialSampler
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    Trainer,
    TrainerCallback,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from locvlm import coordinates
from locvlm.demo.run import IMAGES, SAMPLE
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.filters import ObjectLimits
from locvlm.instructions.render import render
from locvlm.media.images import open_image
from locvlm.models.chat_template import patch_grid
from locvlm.models.load import load_processor
from locvlm.models.tiny import CHAT_TEMPLATE
from locvlm.runtime.precision import choose_precision
from locvlm.training import train as training
from locvlm.training.adapters import choose_trained
from locvlm.training.data.collator import Collator
from locvlm.training.data.packed_rows import build_packed_batch
from locvlm.training.data.padded_rows import build_padded_batch
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.engine.execution import Execution
from locvlm.training.engine.throughput import Work, peak_of
from locvlm.training.engine.training_arguments import stage_settings
from locvlm.training.recipe import LoraSettings, Recipe, Stage
from locvlm.training.stages import TrainingRun
from locvlm.training.start import Start

SIDES = ("trl", "ours", "no cache")
OBJECTIVES = ("locpred", "negpred", "revloc", "spatial")
STAGE = "locations"
PASSED_ON = ("steps", "warmup", "pictures", "questions", "threads", "device", "model")
PASSED_ON += ("batch", "precision")
CLIP = 336  # pixels a side of the 7B model's pictures


def main() -> None:
    """Measure one side, or all of them in turn."""
    options = _arguments()
    if options.side:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data or _build(Path(scratch))
        results = {s: _in_a_process(s, data, Path(scratch), options) for s in options.sides}
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{next(iter(results.values()))['device']}; load of the machine at the end: {load}")
    print(
        f"{'':9}{'images/s':>10}{'answers/s':>11}{'tokens/s':>10}{'ratio':>8}{'GiB':>8}"
        f"{'of peak':>9}{'loss':>17}{'apart':>8}"
    )
    for side, found in results.items():
        _print(side, found, results.get("trl"))


def _print(side: str, found: dict[str, Any], plain: dict[str, Any] | None) -> None:
    """A line of the table; `plain` is what it is compared with."""
    rates = {name: found[name] / found["seconds"] for name in ("pictures", "answers", "tokens")}
    ratio = apart = "-"
    if plain:
        each, theirs = (one["busy"] / one["answers"] for one in (found, plain))
        ratio = f"{theirs / each:.2f}"
        gaps = (abs(a - b) for a, b in zip(found["losses"], plain["losses"], strict=True))
        apart = f"{max(gaps):.4f}"
    peak = f"{found['flops'] / found['seconds'] / found['peak']:.1%}" if found["peak"] else "-"
    print(
        f"{side:9}{rates['pictures']:10.2f}{rates['answers']:11.2f}{rates['tokens']:10.0f}"
        f"{ratio:>8}{found['gib']:8.2f}{peak:>9}"
        f"{found['losses'][0]:9.4f} → {found['losses'][-1]:.3f}{apart:>8}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    gpu = torch.cuda.is_available()
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if gpu else "cpu")
    parser.add_argument("--model", choices=("tiny", "7b"), default="tiny")
    parser.add_argument("--small", action="store_true", help="7b at toy size, to try it out")
    parser.add_argument("--data", type=Path, help="folder that `locvlm build` made")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp16", "fp32"), default="auto")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=2, help="first steps, which do not count")
    parser.add_argument("--pictures", type=int, default=1, help="per step")
    parser.add_argument("--batch", default="auto", help="pictures per pass of ours")
    parser.add_argument("--rows", type=int, help="questions per pass of TRL's; default: a step's")
    parser.add_argument("--questions", type=int, default=8, help="per picture")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device == "cuda" and not gpu:
        parser.error("--device cuda: there is no GPU")
    if options.warmup >= options.steps:
        parser.error("--warmup: must leave some of the --steps")
    options.rows = options.rows or options.pictures * options.questions
    if options.pictures * options.questions % options.rows:
        parser.error("--rows: must divide --pictures times --questions")
    return options


def _build(scratch: Path) -> Path:
    """The demo's photos as instructions."""
    out = scratch / "data"
    build_from_files(
        SAMPLE / "train.json",
        IMAGES,
        out,
        BuildOptions(
            questions=QuestionOptions(objectives=OBJECTIVES, limits=ObjectLimits(min_area=0.004))
        ),
    )
    return out


def _in_a_process(side: str, data: Path, scratch: Path, options: argparse.Namespace) -> Any:
    command = [sys.executable, __file__, "--side", side, "--data", data, "--scratch", scratch]
    for name in (*PASSED_ON, "rows"):
        command += [f"--{name}", getattr(options, name)]
    command += ["--small"] * options.small
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if options.device == "cpu" else {}
    environment = {**os.environ, **hidden}
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    return json.loads(done.stdout.splitlines()[-1])


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """One side, by a whole run of the trainer (`training.train.train_recipe`)."""
    torch.set_num_threads(options.threads)
    recipe = _recipe(options)
    if options.model == "7b":
        training.load_start = lambda recipe: _start_7b(recipe, small=options.small)
    kind = WithTrl if options.side == "trl" else Timed
    made: list[Timed] = []

    def run(*args: Any) -> Timed:
        made.append(kind(*args))
        made[0].prepare(options)
        return made[0]

    training.TrainingRun = run  # type: ignore[misc, assignment]
    training.train_recipe(recipe)
    return made[0].found


def _recipe(options: argparse.Namespace) -> Recipe:
    stage = Stage(
        "adapter+lora",
        options.steps,
        images=options.pictures,
        questions=dict.fromkeys(OBJECTIVES, options.questions),
        max_questions=options.questions,
    )
    return Recipe(
        data=(str(options.data),),
        out=str(options.scratch / options.side),
        stages={STAGE: stage},
        model="tiny-stage1",
        lora=LoraSettings(rank=16, alpha=16, targets=("all",))
        if options.model == "7b"
        else LoraSettings(),
        batch=options.batch if options.batch == "auto" else int(options.batch),
        precision=options.precision,
        flip=False,
        save_steps=10 * options.steps,
        cache=options.side == "ours",
    )


def _start_7b(recipe: Recipe, *, small: bool) -> Start:
    """LLaVA-1.5-7B's shape with random weights; it speaks LocVLM-Tiny's tokens."""
    tokenizer = load_processor("tiny")[0].tokenizer
    size = {"height": CLIP, "width": CLIP}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": CLIP}, crop_size=size),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT_TEMPLATE,
    )
    vision = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
    text = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
    wide = {"vision": 4096, "text": 11008}
    if small:
        toy = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
        vision, text, wide = toy, toy, {"vision": 128, "text": 128}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            image_size=CLIP, patch_size=14, intermediate_size=wide["vision"], **vision
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            intermediate_size=wide["text"],
            pad_token_id=tokenizer.pad_token_id,
            **text,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(CLIP // 14) ** 2,
        vision_feature_layer=-2,
    )
    dtype = choose_precision(recipe.precision).dtype
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(torch.float32)
    return Start(model, processor, coordinates.get("ivb", bins=CLIP), "", dtype=dtype)


class Clock(TrainerCallback):
    """Seconds from the end of the warm-up to that of the last step, and those of the CPU."""

    def __init__(self, warmup: int):
        self.warmup = warmup
        self.started = self.began = self.seconds = self.busy = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step in (self.warmup, state.max_steps):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.seconds = time.perf_counter() - self.started
            self.busy = time.process_time() - self.began
            self.started, self.began = time.perf_counter(), time.process_time()


class Timed(TrainingRun):
    """A run whose trainer is timed."""

    def prepare(self, options: argparse.Namespace) -> None:
        """Keep only pictures with enough questions: TRL's batches hold as many rows each."""
        self.options, self.clock = options, Clock(options.warmup)
        full = [
            item
            for item in self.data.conversations
            if sum(one.objective in OBJECTIVES for one in item.instructions) >= options.questions
        ]
        self.data = replace(self.data, conversations=full, origins=[])

    def _build_trainer(self, name: str, execution: Execution) -> Trainer:
        self.timed = super()._build_trainer(name, execution)
        self.timed.add_callback(self.clock)
        return self.timed

    @property
    def found(self) -> dict[str, Any]:
        """Everything that the table is made of."""
        device = torch.device(self.options.device)
        gpu = device.type == "cuda"
        peak = torch.cuda.max_memory_allocated() if gpu else _peak_of_process()
        return {
            "device": torch.cuda.get_device_name() if gpu else f"CPU, {self.options.threads} cores",
            "seconds": self.clock.seconds,
            "busy": self.clock.seconds if gpu else self.clock.busy,
            "losses": [row["loss"] for row in self.timed.state.log_history if "loss" in row],
            "gib": peak / 2**30,
            "peak": peak_of(device),
            **self._passed(),
        }

    def _passed(self) -> dict[str, int]:
        """What was learned after the warm-up, and the work that it is."""
        options = self.options
        columns, rows = patch_grid(self.start.processor)
        work = Work.of(self.model, columns * rows, encodes=self.features is None)
        collator = Collator(self.start.processor, self.start.coordinates)
        visits = self.sampler()
        sums = dict.fromkeys(("pictures", "answers", "tokens", "flops"), 0)
        for number in range(options.warmup * options.pictures, options.steps * options.pictures):
            encoded = collator.encode(visits.visit(number).conversation)
            batch = (
                build_padded_batch([encoded], 0)
                if options.side == "trl"
                else build_packed_batch([encoded])
            )
            sums["pictures"] += batch.images
            sums["answers"] += batch.answers
            sums["tokens"] += batch.tokens
            repeated = replace(batch, images=batch.answers if options.side == "trl" else 1)
            sums["flops"] += work.count(repeated)
        return sums

    def sampler(self) -> VisitSampler:
        """The visits of all sides."""
        return self.build_sampler(STAGE, self.recipe.stages[STAGE].max_questions)


class WithTrl(Timed):
    """The same by TRL."""

    def train_stage(self, name: str) -> None:
        """As of a run: train, and leave the model in its folder."""
        from datasets import Dataset

        stage = self.recipe.stages[name]
        choose_trained(self.model, stage.parts)
        self.model.train()
        visits = self.sampler()
        count = stage.total_steps * stage.images
        rows = [row for number in range(count) for row in _rows(self.start, visits, number)]
        self.timed = _sft_trainer(self, Dataset.from_list(rows))
        self.timed.add_callback(self.clock)
        self.timed.train()
        (self.out / name).mkdir(parents=True, exist_ok=True)
        self._save(self.out / name / "model", None)


def _sft_trainer(run: Timed, rows: Any) -> Trainer:
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    processor, options = run.start.processor, run.options
    end = processor.tokenizer.eos_token_id

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
            return SequentialSampler(self.train_dataset)

    class AnswersOnly(DataCollatorForVisionLanguageModeling):
        """The line break after the end of a turn is no part of an answer."""

        def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
            # opened here, as ours are, not held in memory
            loaded = [
                {**e, "images": [open_image(Path(e["images"]), tuple(e["size"]))]} for e in examples
            ]
            for example in loaded:
                del example["size"]
            batch = super().torch_call(loaded)
            for row, place in (batch["labels"] == end).nonzero().tolist():
                batch["labels"][row, place + 1 :] = -100
            return batch

    settings = stage_settings(run.recipe.stages[STAGE], run.out / STAGE, run.recipe)
    settings["per_device_train_batch_size"] = options.rows
    passes = options.pictures * options.questions // options.rows
    settings["gradient_accumulation_steps"] = passes
    config = SFTConfig(
        **settings,
        gradient_checkpointing=False,
        max_length=None,
        completion_only_loss=True,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    return InOrder(
        model=run.model,
        args=config,
        train_dataset=rows,
        data_collator=AnswersOnly(processor, completion_only_loss=True),
        processing_class=processor,
    )


def _rows(start: Start, visits: VisitSampler, number: int) -> list[dict[str, Any]]:
    """A row per question of a visit."""
    conversation = visits.visit(number).conversation
    size = (conversation.width, conversation.height)
    frame = start.coordinates.frame_on(start.processor, size)
    pairs = [render(item, start.coordinates, frame) for item in conversation.instructions]
    return [
        {
            "images": conversation.image,
            "size": size,
            "prompt": [{"role": "user", "content": question}],
            "completion": [{"role": "assistant", "content": answer}],
        }
        for question, answer in pairs
    ]


def _peak_of_process() -> int:
    """Bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
