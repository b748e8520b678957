"""How fast is `locate`, after loading?

    python benchmarks/locate.py photo.jpg [more.jpg …] --model tiny --repeat 5

Prints median seconds of the first question about a picture, of the next one about the same, and
per answer where eight are asked together; and what one answer costs with transformers' plain
`generate`, which reads the picture anew for every question. Answers of a trained model are short;
the untrained base (`--model tiny-base`) talks to the limit, so give it `--tokens 22`, the length of
"It is located at (10,20,110,120)".
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import locvlm
from locvlm.inference.pictures import open_picture
from locvlm.inference.predictor import MAX_NEW_TOKENS, WHERE, Predictor

WHAT = ["person", "dog", "car", "chair", "bottle", "traffic light", "elephant", "cup"]


@dataclass(frozen=True)
class Bench:
    """A model and the questions that it is asked."""

    model: Predictor
    tokens: int  # an answer is cut there

    @cached_property
    def questions(self) -> list[str]:
        described = self.model.coordinates.repr_of("box")
        return [WHERE.format(category=what, repr=described) for what in WHAT]

    def fresh(self) -> Predictor:
        """The same model, remembering no picture."""
        return Predictor(self.model.model, self.model.processor, self.model.coordinates)

    def first(self, image: Path) -> None:
        """Each question about a picture that is not remembered."""
        for question in self.questions:
            self.fresh().answer(image, [question], max_new_tokens=self.tokens)

    def again(self, image: Path) -> None:
        """Each question about the picture asked about last."""
        for question in self.questions:
            self.model.answer(image, [question], max_new_tokens=self.tokens)

    def together(self, image: Path) -> None:
        """All questions at once about a picture that is not remembered."""
        self.fresh().answer(image, self.questions, max_new_tokens=self.tokens)

    def plainly(self, image: Path) -> None:
        """Each question, with the picture, through transformers' `generate`."""
        for question in self.questions:
            inputs = self._whole_prompt(image, question)
            self.model.model.generate(**inputs, do_sample=False, max_new_tokens=self.tokens)

    def _whole_prompt(self, image: Path, question: str) -> Any:
        processor = self.model.processor
        content = [{"type": "image"}, {"type": "text", "text": question}]
        turns = [{"role": "user", "content": content}]
        text = processor.apply_chat_template(turns, add_generation_prompt=True)
        inputs = processor(
            images=open_picture(image), text=text, add_special_tokens=False, return_tensors="pt"
        )
        return inputs.to(self.model.model.device, dtype=self.model.model.dtype)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="+", type=Path, help="pictures")
    parser.add_argument("--model", default="tiny", help="a shipped model or a folder")
    parser.add_argument("--repeat", type=int, default=5, help="measurements per picture")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    parser.add_argument("--tokens", type=int, default=MAX_NEW_TOKENS, help="longest answer")
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    bench = Bench(locvlm.load(options.model), options.tokens)
    ways: dict[str, Callable[[Path], None]] = {
        "first question about a picture": bench.first,
        "next question about it": bench.again,
        f"{len(WHAT)} questions together": bench.together,
        "plain generate": bench.plainly,
    }
    ways["next question about it"](options.images[0])  # the first passes allocate memory
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for image in options.images * options.repeat:  # in turns, so that all meet the same load
        bench.model.answer(image, bench.questions[:1], max_new_tokens=1)  # for the "next" one
        for name, way in ways.items():
            seconds[name].append(timed(way, image) / len(WHAT))
    model = bench.model.model
    print(f"{options.model}, {model.dtype} on {model.device}, {options.threads} threads")
    plain = statistics.median(seconds["plain generate"])
    print(f"{'':32} median seconds per answer   times as fast as plain generate")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:32} {median:25.3f}   {plain / median:8.1f}")


def timed(way: Callable[[Path], None], image: Path) -> float:
    """Seconds that a way takes."""
    start = time.perf_counter()
    way(image)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
