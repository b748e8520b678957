"""Low-rank updates as the trainer computes them, and as PEFT: time, and what is learned.

    python benchmarks/lora.py layers                    CPU time on one thread, or --device cuda
    python benchmarks/lora.py layers --dtype float32
    python benchmarks/lora.py curves --steps 60         LocVLM-Tiny on the demo's photos

`layers` prints, per shape and number of tokens, milliseconds of a forward and a backward pass of

    frozen   the layer without an update
    peft     W x, rounded, and then B (A x)
    added    B (A x) within the product W x, rounded once
    formed   (W + B A) x, the weights rounded evenly

and from how many tokens on `formed` is cheaper than `added`, also in units of
in * out / (in + out), in which `training.engine.lora_forward.WORTH` is given.

`curves` trains the same recipe in bfloat16, on the same visits, by

    peft     PEFT's own passes
    added    as above, always
    formed   as above, always
    nearest  formed, but rounded to the nearest
    exact    PEFT's own passes in float32, for comparison

and prints the answers' loss by tenths of the run, and how far from PEFT's it is in the last third.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from torch import nn

from locvlm.demo.run import IMAGES, SAMPLE
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.filters import ObjectLimits
from locvlm.training.engine import execution, lora_forward
from locvlm.training.engine.lora_forward import form_updates
from locvlm.training.recipe import LoraSettings, Recipe, Stage
from locvlm.training.train import train_recipe

SHAPES = ("576x576", "576x1536", "1536x576", "2048x2048")  # in x out
TOKENS = (256, 1024, 2048, 4096, 8192)
WAYS = ("peft", "added", "formed", "nearest", "exact")
QUESTIONS = {"locpred": 2, "negpred": 1, "revloc": 2}


def main() -> None:
    """Measure and print."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    options.run(options)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="CPU cores to use")
    commands = parser.add_subparsers(required=True)
    layers = commands.add_parser("layers")
    layers.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    layers.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    layers.add_argument("--shapes", nargs="+", default=SHAPES, help="in x out")
    layers.add_argument("--tokens", nargs="+", type=int, default=TOKENS)
    layers.add_argument("--rank", type=int, default=16)
    layers.add_argument("--rounds", type=int, default=7, help="the fastest counts")
    layers.add_argument("--compile", action="store_true", help="as the trainer does on a GPU")
    layers.set_defaults(run=_layers)
    curves = commands.add_parser("curves")
    curves.add_argument("--steps", type=int, default=60)
    curves.add_argument("--pictures", type=int, default=1, help="per step, in one pass")
    curves.add_argument("--rank", type=int, default=8)
    curves.add_argument("--rate", type=float, default=1e-4)
    curves.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    curves.add_argument("--out", help="keep the runs there, and go on with those that it holds")
    curves.add_argument("--png", type=Path, help="draw the curves there")
    curves.set_defaults(run=_curves)
    return parser.parse_args()


# Time


def _layers(options: argparse.Namespace) -> None:
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{options.threads} threads"
    compiled = ", compiled" if options.compile else ""
    print(f"{device.type} ({where}), {options.dtype}, rank {options.rank}{compiled}")
    print("in x out     tokens   frozen     peft    added   formed  ms   added / formed")
    for shape in options.shapes:
        columns, rows = map(int, shape.split("x"))
        base = nn.Linear(columns, rows, bias=False, device=device, dtype=dtype)
        gaps = []
        for tokens in options.tokens:
            x = torch.randn(1, tokens, columns, device=device, dtype=dtype)
            frozen, peft, added, formed = _times(base, x, options)
            gaps.append(added - formed)
            print(
                f"{shape:11} {tokens:7} {frozen:8.2f} {peft:8.2f} {added:8.2f} {formed:8.2f}"
                f" {added / formed:14.2f}"
            )
        even = _crossing(options.tokens, gaps)
        unit = columns * rows / (columns + rows)
        print(f"{shape:11} even at about {even:.0f} tokens = {even / unit:.1f} in*out/(in+out)\n")


def _times(base: nn.Linear, x: torch.Tensor, options: argparse.Namespace) -> list[float]:
    """Milliseconds of the frozen layer, with PEFT's passes, added, and formed."""
    frozen = nn.Sequential(base).requires_grad_(False)
    config = LoraConfig(r=options.rank, lora_alpha=options.rank, target_modules=["0"])
    tuned = get_peft_model(nn.Sequential(base), config, autocast_adapter_dtype=False)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.float()
    layer: Any = tuned.base_model.model[0]
    best = [math.inf] * 4
    with disable_input_dtype_casting(tuned):
        for _ in range(options.rounds):  # in turn, so that a disturbed moment hits all of them
            for number, (module, worth) in enumerate(
                ((frozen, None), (layer, None), (layer, math.inf), (layer, 0.0))
            ):
                with _forming(tuned, worth):
                    call = torch.compile(module, dynamic=False) if options.compile else module
                    best[number] = min(best[number], _time(call, x))
    return best


def _time(call: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> float:
    """Milliseconds of a pass after another: of the processor, or of the GPU."""
    x = x.detach().requires_grad_()
    mixed = torch.autocast(x.device.type, torch.bfloat16, enabled=x.dtype == torch.bfloat16)
    with mixed:
        upstream = torch.ones_like(call(x))

    def learn() -> None:
        with mixed:
            out = call(x)
        out.backward(upstream)

    learn()
    if x.device.type == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        learn()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end))
    start = time.process_time()
    learn()
    return 1000 * (time.process_time() - start)


def _crossing(tokens: tuple[int, ...], gaps: list[float]) -> float:
    """Tokens from which on `peft - formed` stays above 0, by lines between what was measured."""
    above = len(gaps)
    while above and gaps[above - 1] > 0:
        above -= 1
    if above == len(gaps):
        return math.inf
    if above == 0:
        return 0.0
    (left, low), (right, high) = ((tokens[n], gaps[n]) for n in (above - 1, above))
    return left + (right - left) * -low / (high - low)


@contextmanager
def _forming(model: nn.Module, worth: float | None) -> Iterator[None]:
    """`WORTH` is this: 0 forms always, infinity always adds; None leaves all to PEFT."""
    with nullcontext() if worth is None else form_updates(model), _worth(worth or 0.0):
        yield


@contextmanager
def _worth(value: float) -> Iterator[None]:
    with _replaced(lora_forward, "WORTH", dict.fromkeys(lora_forward.WORTH, value)):
        yield


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


# Losses


def _curves(options: argparse.Namespace) -> None:
    with nullcontext(options.out) if options.out else tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        if not (folder / "data").is_dir():
            build_from_files(
                SAMPLE / "train.json",
                IMAGES,
                folder / "data",
                BuildOptions(
                    questions=QuestionOptions(
                        objectives=tuple(QUESTIONS), limits=ObjectLimits(min_area=0.004)
                    )
                ),
            )
        found = {way: _learned(folder, way, options) for way in options.ways}
    steps, *_ = ([row["step"] for row in rows] for rows in found.values())
    losses = {way: [row["answer_loss"] for row in rows] for way, rows in found.items()}
    _print_curves(steps, losses)
    if options.png:
        _draw(steps, losses, options.png)


def _learned(folder: Path, way: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """The log of a run, by the trainer itself."""
    stage = Stage(
        "adapter+lora",
        options.steps,
        images=options.pictures,
        learning_rate=options.rate,
        questions=QUESTIONS,
    )
    recipe = Recipe(
        data=(str(folder / "data"),),
        out=str(folder / way),
        stages={"locations": stage},
        model="tiny-stage1",
        lora=LoraSettings(rank=options.rank, alpha=options.rank),
        precision="fp32" if way == "exact" else "bf16",
        batch=options.pictures,
        flip=False,
        features=str(folder / "features"),
    )
    with ExitStack() as during:
        during.enter_context(_worth(0.0 if way in ("formed", "nearest") else math.inf))
        if way in ("peft", "exact"):
            during.enter_context(_replaced(execution, "forming", lambda _: nullcontext(0)))
        if way == "nearest":
            nearest = torch.Tensor.bfloat16
            during.enter_context(_replaced(lora_forward, "round_evenly", nearest))
        train_recipe(recipe)
    lines = (folder / way / "locations" / "log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "loss" in row]


def _print_curves(steps: list[int], losses: dict[str, list[float]]) -> None:
    print(f"{'to step':>8}" + "".join(f"{name:>10}" for name in losses))
    tenth = max(1, len(steps) // 10)
    for start in range(0, len(steps), tenth):
        part = slice(start, start + tenth)
        means = (statistics.mean(values[part]) for values in losses.values())
        print(f"{steps[part][-1]:8}" + "".join(f"{mean:10.4f}" for mean in means))
    last = slice(len(steps) * 2 // 3, None)
    for name in losses if "peft" in losses else ():
        gaps = [a - b for a, b in zip(losses[name][last], losses["peft"][last], strict=True)]
        error = statistics.stdev(gaps) / math.sqrt(len(gaps)) if len(gaps) > 1 else math.nan
        print(f"{name} - peft, last third: {statistics.mean(gaps):+.4f} ± {error:.4f}")


def _draw(steps: list[int], losses: dict[str, list[float]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    _, axes = pyplot.subplots(figsize=(5, 3), layout="constrained")
    for name, values in losses.items():
        axes.plot(steps, values, label=name)
    axes.set(xlabel="step", ylabel="loss on the answers")
    axes.legend()
    pyplot.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
