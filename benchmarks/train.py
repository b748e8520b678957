"""Answers learned per second, against TRL's `SFTTrainer` on the same model, data and batches.

    python benchmarks/train.py                            the demo's photos
    python benchmarks/train.py --data data/coco --steps 40 --questions 8

Needs `pip install trl datasets`. Both sides tune LocVLM-Tiny's adapter and low-rank updates with
AdamW under bfloat16 autocast; a step is one picture with its questions, in the same order.

    trl        prompt and completion per question, batches of all questions of a picture
    ours       what `locvlm train` does: one sequence per picture, the frozen encoder's outputs kept
    no cache   the same, but pictures pass the encoder at every step

Each side runs in a process of its own, one after the other. Prints answers per second, the ratio to
TRL, the peak memory of the process, and how far the losses of the steps are apart.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import SequentialSampler

from locvlm.demo.run import IMAGES, SAMPLE
from locvlm.inference.pictures import open_annotated
from locvlm.instructions.build_files import build_from_files
from locvlm.instructions.render import render
from locvlm.training.adapters import add_adapter, choose_trained, load_adapter, lora_of
from locvlm.training.block_attention import attending
from locvlm.training.collator import Collator
from locvlm.training.features import FeatureStore, encoder_key, remembered
from locvlm.training.layouts import packed
from locvlm.training.losses import Answering
from locvlm.training.pictures import read_pictures
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.start import begin
from locvlm.training.trainer import LocTrainer, arguments
from locvlm.training.visits import Visits

SIDES = ("trl", "ours", "no cache")
OBJECTIVES = ("locpred", "negpred", "revloc", "spatial")


def main() -> None:
    """Measure one side, or all of them in turn."""
    options = _arguments()
    if options.side:
        print(json.dumps(_measure(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        data = options.data or _build(Path(scratch))
        results = {side: _in_a_process(side, data, Path(scratch), options) for side in SIDES}
    plain = results["trl"]
    for side, found in results.items():
        rate = found["answers"] / found["seconds"]
        ratio = rate * plain["seconds"] / plain["answers"]
        apart = max(abs(a - b) for a, b in zip(found["losses"], plain["losses"], strict=True))
        print(
            f"{side:9} {rate:6.2f} answers/s  {ratio:5.2f} ×  peak {found['gib']:.2f} GiB  "
            f"loss {found['losses'][0]:.3f} → {found['losses'][-1]:.3f}, {apart:.3f} apart at most"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that `locvlm build` made")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--questions", type=int, default=8, help="per picture, at most")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _build(scratch: Path) -> Path:
    """The demo's photos as instructions."""
    out = scratch / "data"
    build_from_files(SAMPLE / "train.json", IMAGES, out, objectives=OBJECTIVES, min_area=0.004)
    return out


def _in_a_process(side: str, data: Path, scratch: Path, options: argparse.Namespace) -> Any:
    command = [sys.executable, __file__, "--side", side, "--data", data, "--scratch", scratch]
    for name in ("steps", "questions", "threads"):
        command += [f"--{name}", getattr(options, name)]
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(options.threads)
    asked = dict.fromkeys(OBJECTIVES, options.questions)
    stage = Stage(
        "adapter+lora", options.steps, pictures=1, questions=asked, max_questions=options.questions
    )
    recipe = Recipe(data=(str(options.data),), out="", stages={"": stage}, model="tiny", flip=False)
    start = begin(recipe)
    torch.manual_seed(0)
    tuned = add_adapter(start.model, lora_of(recipe, start.adapter))
    load_adapter(tuned, start.adapter)
    choose_trained(tuned, stage.parts)
    data = read_pictures(recipe)
    # A batch is a picture: all of them must have enough questions
    full = [
        item
        for item in data.conversations
        if sum(one.objective in asked for one in item.instructions) >= options.questions
    ]
    visits = Visits(full, asked, options.questions, flip=False)
    measure = _trl if options.side == "trl" else _ours
    seconds, losses = measure(start, tuned, visits, stage, recipe, options)
    visited = [visits.visit(number).conversation for number in range(options.steps)]
    answers = sum(len(item.instructions) for item in visited)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"answers": answers, "seconds": seconds, "losses": losses, "gib": peak}


def _ours(
    start: Any, tuned: Any, visits: Visits, stage: Stage, recipe: Recipe, options: Any
) -> tuple[float, list[float]]:
    features = None
    if options.side == "ours":
        features = _features(start, visits, options)
    collator = Collator(start.processor, start.coordinates)
    task = Answering(
        visits, collator, stage.steps, lambda items: packed(items[0]), features=features
    )
    settings = arguments(stage, options.scratch / options.side, recipe)
    settings.logging_steps, settings.save_strategy = 1, "no"
    log = options.scratch / f"{options.side}.jsonl"
    trainer = LocTrainer(tuned, task, settings, stage, log)
    with attending(start.model):
        if features is None:
            return _timed(trainer)
        with remembered(start.model):
            return _timed(trainer)


def _features(start: Any, visits: Visits, options: Any) -> FeatureStore:
    shown = [visits.visit(number).conversation for number in range(options.steps)]
    sizes = {Path(item.image): (item.width, item.height) for item in shown}
    width = start.model.config.vision_config.hidden_size * len(
        start.model.config.vision_feature_layer
    )
    key = encoder_key(start.model, start.processor)
    store = FeatureStore(options.scratch / "features", sizes, (256, width), key)
    store.compute(start.model, start.processor, flip=False)
    return store


def _trl(
    start: Any, tuned: Any, visits: Visits, stage: Stage, recipe: Recipe, options: Any
) -> tuple[float, list[float]]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    class InOrder(SFTTrainer):
        def _get_train_sampler(self, *_: Any, **__: Any) -> SequentialSampler:
            return SequentialSampler(self.train_dataset)

    class AnswersOnly(DataCollatorForVisionLanguageModeling):
        """The line break after the end of a turn is no part of an answer."""

        def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
            # opened here, as ours are, not held in memory
            loaded = [
                {**e, "images": [open_annotated(e["images"], tuple(e["size"]))]} for e in examples
            ]
            for example in loaded:
                del example["size"]
            batch = super().torch_call(loaded)
            ends = (batch["labels"] == start.processor.tokenizer.eos_token_id).nonzero()
            for row, place in ends.tolist():
                batch["labels"][row, place + 1 :] = -100
            return batch

    ours = arguments(stage, options.scratch / "trl", recipe)
    rows = [row for number in range(stage.steps) for row in _rows(start, visits, number)]
    settings = SFTConfig(
        output_dir=ours.output_dir,
        max_steps=stage.steps,
        per_device_train_batch_size=options.questions,
        learning_rate=ours.learning_rate,
        lr_scheduler_type=ours.lr_scheduler_type,
        lr_scheduler_kwargs=ours.lr_scheduler_kwargs,
        warmup_steps=ours.warmup_steps,
        weight_decay=0.0,
        max_grad_norm=1.0,
        bf16=ours.bf16,
        fp16=ours.fp16,
        use_cpu=ours.use_cpu,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        max_length=None,
        completion_only_loss=True,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        dataloader_pin_memory=False,
        report_to="none",
        seed=0,
    )
    collator = AnswersOnly(start.processor, completion_only_loss=True)
    trainer = InOrder(
        model=tuned,
        args=settings,
        train_dataset=Dataset.from_list(rows),
        data_collator=collator,
        processing_class=start.processor,
    )
    return _timed(trainer)


def _rows(start: Any, visits: Visits, number: int) -> list[dict[str, Any]]:
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


def _opened(row: dict[str, Any]) -> Any:
    return open_annotated(row["images"], tuple(row["size"]))


def _timed(trainer: Any) -> tuple[float, list[float]]:
    began = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - began
    return seconds, [row["loss"] for row in trainer.state.log_history if "loss" in row]


if __name__ == "__main__":
    main()
