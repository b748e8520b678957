"""Questions per second of an evaluation, against one `generate` per question.

    python benchmarks/eval.py --annotations instances_val.json --images images --model tiny

Takes COCO-Spatial's questions about the pictures with the most of them (at least eight each) and
answers them, in turn and in one process, by

    ours      `Predictor.answer_all`, as `locvlm eval` does: each picture is read once
    drawn     the same at temperature 0.2, one sample
    five      likewise, five samples of each question
    choice    `Predictor.choose_all`: the likeliest of the right and the wrong sentence, one pass
    generate  transformers' own, the picture anew for every question, the same greedy decoding

Prints questions per second, the ratios to `generate`, and how many answers are the same as its (of
five samples, of the first). Use `--dtype float32` to compare texts: in bfloat16 what is computed
together is rounded otherwise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import locvlm
from locvlm.evaluation import tasks
from locvlm.evaluation.answered import questions_by_image
from locvlm.evaluation.task import Question, Sources
from locvlm.inference.predictor import Predictor
from locvlm.inference.sampling import Sampling
from locvlm.instructions.render import render
from locvlm.media.images import open_image

WAYS = ("ours", "drawn", "five", "choice", "generate")
TASK, LEAST = "coco-spatial", 8  # questions about a picture


def main() -> None:
    """Measure and print."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    model = locvlm.load(options.model)
    if options.dtype:
        model.model.to(getattr(torch, options.dtype))
    groups = _groups(Sources({"annotations": options.annotations}, options.images), options)
    asked = [_rendered(model, options.images, group) for group in groups]
    count = sum(map(len, groups))
    print(f"{options.model}, {model.model.dtype}, {options.threads} threads", end=": ")
    print(f"{count} questions about {len(groups)} pictures")
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    answers: dict[str, list[str]] = {}
    for _ in range(options.repeat):
        for name in seconds:
            start = time.perf_counter()
            answers[name] = _answer(name, model, asked, groups)
            seconds[name].append(time.perf_counter() - start)
    plain = min(seconds["generate"])
    for name, times in seconds.items():
        same = sum(a == b for a, b in zip(answers[name], answers["generate"], strict=True))
        print(
            f"{name:9} {count / min(times):7.2f} questions/s   {plain / min(times):5.2f} ×   "
            f"{same} of {count} answers are those of generate"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", default="tiny", help="a shipped model or a folder")
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=2, help="runs; the fastest counts")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], help="not what is native")
    return parser.parse_args()


def _groups(sources: Sources, options: argparse.Namespace) -> list[list[Question]]:
    """Direct questions about the pictures with the most."""
    settings = tasks.resolve_options(tasks.get(TASK), {"min_objects": 2})
    asked = questions_by_image(tasks.load(TASK, sources, seed=0, options=settings), None)
    direct = [[q for q in group if q.meta["form"] == "direct"] for group in asked.values()]
    most = sorted(direct, key=len, reverse=True)[: options.pictures]
    if len(most[-1]) < LEAST:
        raise SystemExit(f"not {options.pictures} pictures with {LEAST} questions each")
    return most


def _rendered(
    model: Predictor, images: Path, group: Sequence[Question]
) -> tuple[Image.Image, list[str]]:
    picture = open_image(images / group[0].image)
    frame = model.frame(picture.size)
    return picture, [render(q.instruction, model.coordinates, frame)[0] for q in group]


def _answer(name: str, model: Predictor, asked: Any, groups: list[list[Question]]) -> list[str]:
    sampling = Sampling(0.2) if name in ("drawn", "five") else None
    parts = (model.model, model.processor, model.coordinates)
    model = Predictor(*parts, sampling=sampling)  # remembers no picture
    if name in ("ours", "drawn"):
        found = model.answer_all(asked)
    elif name == "five":
        found = model.sample_all(asked, 5)[0]
    elif name == "choice":
        found = model.choose_all(asked, [q.choices for group in groups for q in group])
    else:
        found = [[_generate(model, picture, text) for text in texts] for picture, texts in asked]
    return [answer for group in found for answer in group]


def _generate(model: Predictor, picture: Image.Image, question: str) -> str:
    processor = model.processor
    content = [{"type": "image"}, {"type": "text", "text": question}]
    turns = [{"role": "user", "content": content}]
    text = processor.apply_chat_template(turns, add_generation_prompt=True)
    inputs = processor(images=picture, text=text, add_special_tokens=False, return_tensors="pt")
    inputs = inputs.to(model.model.device, dtype=model.model.dtype)
    out = model.model.generate(**inputs, do_sample=False, max_new_tokens=64)
    answer = out[0, inputs["input_ids"].shape[1] :]
    return processor.tokenizer.decode(answer, skip_special_tokens=True).strip()


if __name__ == "__main__":
    main()
