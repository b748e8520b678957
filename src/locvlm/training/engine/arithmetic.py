"""What a run computes with: decided when it starts or goes on, said once, and kept in `out`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import msgspec
import torch

from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.io.own_files import read_own_json
from locvlm.runtime.precision import Precision, choose_precision
from locvlm.shown.terminal import say
from locvlm.training.recipe import Recipe

ARITHMETIC_FILE = "arithmetic.json"  # in `out`: how the run was begun, or gone on with last


class Arithmetic(msgspec.Struct, frozen=True):
    """As it is kept."""

    device: str
    precision: str
    compiled: bool


def should_compile(setting: bool | Literal["auto"]) -> bool:
    """Whether layers are compiled; `auto`: on GPUs with Triton.

    On two CPU cores compiling gained nothing (docs/train/design.md), and takes minutes.
    """
    if setting == "auto":
        return torch.cuda.is_available() and find_spec("triton") is not None
    return setting


def announce_arithmetic(recipe: Recipe, out: Path) -> Precision:
    """Say on standard error what the run computes with, and if it was begun otherwise.

    Raises:
        InputError: this device cannot compute as the recipe says.
    """
    chosen, compiled = choose_precision(recipe.precision), should_compile(recipe.compile)
    if not partial_state().is_main_process:
        return chosen
    path = out / ARITHMETIC_FILE
    before = _read(path)
    line = f"{chosen}; {'compiled' if compiled else 'not compiled'}"
    if before is not None and before.precision != chosen.name:
        line += f" (so far this run was in {before.precision}, on {before.device})"
    say(line, file=sys.stderr)
    now = Arithmetic(chosen.device, chosen.name, compiled)
    path.write_bytes(msgspec.json.encode(now) + b"\n")
    return chosen


def _read(path: Path) -> Arithmetic | None:
    try:
        return read_own_json(path, Arithmetic, "the note of a run's arithmetic")
    except InputError:  # a kill may have left it empty
        return None
