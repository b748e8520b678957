"""What a proof holds: each figure once, for the terminal, ``proof.json`` and ``proof.html``.

Rates are shares, 0 … 1. Boxes are x1, y1, x2, y2 in pixels of the original image.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from locvlm.evaluation.reports.differences import FEW

LEAST = FEW  # images that a verdict of better or worse takes

# Of the tuned model against the base
Word = Literal["better", "worse", "as before", "too few"]


class Figure(msgspec.Struct, frozen=True):
    """One score of both models on the same questions."""

    name: str  # of the score, such as "mean IoU"; of a row of a table: the group
    kind: str  # "rate", "mean" or "points" (see `evaluation.intervals.Score`)
    base: float
    tuned: float
    difference: float  # tuned - base
    low: float  # of the difference, 95 %, images drawn anew (see `widen_interval`)
    high: float
    questions: int
    images: int
    changed: int  # images on which the models are not equal

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of the difference leaves out 0, and is of enough images."""
        return self.images >= LEAST and (self.low > 0 or self.high < 0)


class Verdict(msgspec.Struct, frozen=True):
    """What a figure says, in a sentence."""

    word: Word
    sentence: str
    score: str  # the name of its figure


class Table(msgspec.Struct, frozen=True):
    """A measure in each group of questions."""

    by: str  # what the groups are, such as "category"
    measure: str  # such as "mean IoU"
    rows: list[Figure]  # most questions first


class Changes(msgspec.Struct, frozen=True):
    """How the answers to a task's questions changed."""

    questions: int
    answers: int  # that are worded otherwise
    better: int  # questions that the tuned model answers better
    worse: int


class Example(msgspec.Struct, frozen=True):
    """A question that one of the models answers better."""

    id: str
    image: str  # file name
    better: bool  # the tuned model does
    prompt: str  # as the base was asked
    expected: str
    answers: tuple[str, str]  # of base and tuned, in their own coordinate formats
    found: tuple[tuple[float, ...] | None, tuple[float, ...] | None]  # original pixels
    worth: tuple[float, float]  # of the answers: IoU, or 1 where they are right
    truth: list[tuple[str, tuple[float, ...]]]  # what is annotated: label and box, original pixels
    mirrored: bool = False  # the pixels are those of the mirrored image


class Learned(msgspec.Struct, frozen=True):
    """What of the questions a model was trained on, as its run's ``scores.json`` says."""

    model: Literal["base", "tuned"]
    questions: int
    images: int


class TaskProof(msgspec.Struct, frozen=True):
    """Both models on one task."""

    task: str
    title: str
    data: str
    right: str  # what an answer must be to count as right
    questions: int
    images: int
    clips: bool
    plain: bool  # of what no tuning touched: it tells what was forgotten
    verdicts: list[Verdict]
    scores: list[Figure]  # headlines first
    headlines: int  # how many of the scores are such
    tables: list[Table]
    changes: Changes
    examples: list[Example]
    learned: list[Learned] = []
    notes: list[str] = []  # sentences on what is to be known, such as how answers were drawn
    split: str = ""  # that was asked about, such as val, or all; empty: the data have none


class Proof(msgspec.Struct, frozen=True):
    """Base and tuned model on all tasks that the data allow."""

    base: str
    tuned: str
    seed: int
    verdicts: list[Verdict]  # of all tasks
    tasks: list[TaskProof]
    left_out: dict[str, str]  # task -> why
    limits: list[str]  # what the figures do not say
    notes: list[str] = []  # sentences that hold for every task, and stand in none of them
