"""What lies where in a tuning's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

README = "README.md"
RECIPE = "recipe.yaml"
STATE = "tune.json"  # what was asked for, timed and planned
DATA = "data"  # the built data set
LOOKS = "looks"  # of `locvlm inspect`
TRAINING = "training"  # the run of `locvlm train`; of further seeds with their number behind it
BEFORE, AFTER = "before", "after"  # runs of `locvlm eval`, by task; of further seeds likewise
SHARED = "before-shared"  # of the start, the answers that tuned models had time for, too
PROOF = "proof"  # of `locvlm prove`; likewise
MODEL = "model"  # in a run's folder


def training_folder(out: Path, number: int = 0) -> Path:
    """Of the run with the first seed, or the next ones."""
    return out / _numbered(TRAINING, number)


def model_folder(out: Path, number: int = 0) -> Path:
    """The model that a run leaves."""
    return training_folder(out, number) / MODEL


def answers_folder(out: Path, number: int = 0) -> Path:
    """Of the answers of the model with the first seed, or the next ones."""
    return out / _numbered(AFTER, number)


def proof_folder(out: Path, number: int = 0) -> Path:
    """Of the proof of the run with the first seed, or the next ones."""
    return out / _numbered(PROOF, number)


def forget(out: Path) -> None:
    """Remove what a tuning makes before anything is measured: it was refused, and may be mended."""
    for name in (DATA, LOOKS):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (RECIPE, STATE):
        (out / name).unlink(missing_ok=True)


def _numbered(name: str, number: int) -> str:
    return f"{name}-{number + 1}" if number else name
