"""How fast is `locate`, after loading?

    python benchmarks/locate.py photo.jpg [more.jpg …] --model tiny --repeat 5

Prints median seconds of the first question about a picture, of the next one about the same, and
per answer where eight are asked together; and what one answer costs with transformers' plain
`generate`, which reads the picture anew for every question. Answers of a trained model are short;
the untrained base (`--model tiny-base`) talks to the limit, so give it `--tokens 22`, the length of
"It is located at (10,20,110,120)".

Prints before that how long loading takes, and the very first answer. `--avx2` computes as a machine
without AVX-512 does, in float32.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

if "--avx2" in sys.argv:  # read when PyTorch is loaded
    os.environ |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    os.environ |= {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}

import psutil

import locvlm
from locvlm.inference.predictor import MAX_NEW_TOKENS, WHERE, Predictor
from locvlm.media.images import open_image

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

    def written(self, image: Path) -> int:
        """How many tokens these answers have, with their ends."""
        tokenizer = self.model.processor.tokenizer
        answers = [self.model.answer(image, [question])[0] for question in self.questions]
        return sum(len(tokenizer(answer, add_special_tokens=False)[0]) + 1 for answer in answers)

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
            images=open_image(image), text=text, add_special_tokens=False, return_tensors="pt"
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
    parser.add_argument("--avx2", action="store_true", help="as without AVX-512")
    options = parser.parse_args()
    import torch  # after locvlm, which says how its threads wait

    torch.set_num_threads(options.threads)
    bench = Bench(locvlm.load(options.model), options.tokens)
    if options.avx2:
        bench.model.model.float()
    print(f"loaded in {since(psutil.Process().create_time())}, PyTorch included")
    for name in ("first answer of all", "the next"):
        start = time.time()
        bench.fresh().answer(options.images[0], bench.questions[:1], max_new_tokens=options.tokens)
        print(f"{name}: {since(start)}")
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
    tokens = statistics.mean(map(bench.written, options.images)) / len(WHAT)
    again = statistics.median(seconds["next question about it"])
    print(f"{tokens:.1f} tokens an answer, {tokens / again:.1f} a second with their questions")


def since(start: float) -> str:
    """Seconds of the clock since `start`, and of all cores since the process began."""
    return f"{time.time() - start:.2f} s ({time.process_time():.2f} s of all cores so far)"


def timed(way: Callable[[Path], None], image: Path) -> float:
    """Seconds that a way takes."""
    start = time.perf_counter()
    way(image)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
