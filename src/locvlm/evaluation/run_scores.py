"""``scores.json`` of a run, read back: all fields that anybody uses are of their type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from locvlm.evaluation.left_out import LeftOut
from locvlm.evaluation.run_files import SCORES, WHAT
from locvlm.io.own_files import convert_own, read_own_json

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Samples = Annotated[int, msgspec.Meta(ge=1, le=10**6)]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class ReadScore(msgspec.Struct, frozen=True):
    """A figure, as `intervals.Score` and `samples.SampledScore` are written."""

    value: float | None
    low: float
    high: float
    n: Count
    kind: Literal["rate", "mean", "points"] = "rate"
    sd: float | None = None


class Decoding(msgspec.Struct, frozen=True):
    """How answers were made, as far as it is told."""

    temperature: float = 0.0
    seed: Count = 0
    samples: Samples = 1
    sample: Samples = 1


class Learned(msgspec.Struct, frozen=True):
    """What of the images the model learned from (`learned.count_learned`)."""

    images: Count
    questions: Count
    how: dict[Literal["equal", "near"], Count]
    known: Count
    unknown: list[str]
    names: list[str] = []


class Handed(msgspec.Struct, frozen=True):
    """Answers to hand in (`submission`)."""

    file: str
    answers: Count
    empty: Count
    server: str


class Asked(msgspec.Struct, frozen=True):
    """What a limit has left of all images."""

    images: Count
    of_images: Count
    how: str


class JudgeRecord(msgspec.Struct, frozen=True):
    """Who judged free answers."""

    model: str
    verdicts: Count
    unreadable: Count


class RunScores(msgspec.Struct, frozen=True):
    """What ``scores.json`` holds; older versions wrote less."""

    task: str
    model: str
    data: str
    questions: Count
    pictures: Count
    scores: dict[str, ReadScore]
    model_digest: str | None = None
    split: str | None = None
    seed: Count = 0
    options: dict[str, Any] = {}
    decoding: Decoding | None = None
    versions: dict[str, str] = {}
    unanswered: Count = 0
    asked: Asked | None = None
    skipped: dict[str, Count] = {}
    dropped: dict[str, Count] = {}
    names: dict[str, Words] = {}
    left_out: list[LeftOut] = []
    examples: dict[str, str] = {}
    remarks: list[str] = []
    cut: list[str] = []
    notes: dict[str, Words] = {}
    unreadable: dict[str, str] = {}
    unseen: list[str] = []
    learned: Learned | None = None
    judge: JudgeRecord | None = None
    categories: dict[str, dict[str, float | None]] = {}
    submission: Handed | None = None


def read_scores(folder: Path) -> dict[str, Any]:
    """What the ``scores.json`` of a run's folder holds, checked.

    Raises:
        InputError: it is missing, malformed, or a field is missing or of another type.
    """
    path = folder / SCORES
    tree = read_own_json(path, dict[str, Any], WHAT)
    convert_own(tree, RunScores, str(path), WHAT)
    for score in tree["scores"].values():
        score.setdefault("kind", "rate")
    return tree
