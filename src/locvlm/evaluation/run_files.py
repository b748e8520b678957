"""The files of runs: their names, what ``run.json`` holds, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from locvlm.errors import InputError
from locvlm.evaluation.learned_asked import LearnedAsked
from locvlm.evaluation.task import ScoredAnswer
from locvlm.geometry import location_from
from locvlm.io.json_rows import json_rows
from locvlm.io.own_files import read_own_json

RUN, PREDICTIONS, SCORED, SCORES = "run.json", "predictions.jsonl", "scored.jsonl", "scores.json"
REPORT, PICTURES = "report.md", "pictures"
SUBMISSION = "submission.json"  # answers to questions whose true answers a server alone has
COMPARISON = "report.html"  # of several runs
SUITE_PAGE, SUITE_TABLE = "suite.html", "suite.md"

WHAT = "a file that locvlm eval wrote"

T = TypeVar("T")


@dataclass(frozen=True)
class EvaluationRun:
    """What a run was made with; a run goes on only under the same."""

    task: str
    model: str
    coordinates: dict[str, Any]  # {"format": name, "options": {…}}
    decoding: dict[str, Any]  # how the answers were made
    seed: int
    options: dict[str, Any]  # the task's own
    questions: str  # a digest of all questions with their expected answers
    limit: int | None = None  # pictures that are asked about
    versions: dict[str, str] = field(default_factory=dict)  # of Python and libraries
    at_once: int = 32  # questions that are asked together; older runs do not say it
    model_digest: str | None = None  # of the model's files; None: a run of before it was kept
    unreadable: dict[str, str] = field(default_factory=dict)  # picture or clip -> why
    # Questions, by id, about what lies outside of what the model sees: not asked
    unseen: list[str] = field(default_factory=list)
    sampled: bool = False  # those of the limit are a seeded sample; older runs: the first ones
    split: str | None = None  # of the annotations, "all", or "": they have none; None: an older run
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)  # see `QuestionSet.names`
    learned: LearnedAsked | None = None  # what of the images the model learned from; None: unknown


def read_json(path: Path, kind: type[T]) -> T:
    """One typed object. Raises InputError for a missing or malformed file."""
    return read_own_json(path, kind, WHAT)


def read_scored(folder: Path) -> list[ScoredAnswer]:
    """The scored rows of a run's folder. Raises InputError where it has none."""
    if not (folder / SCORED).exists() and (folder / SUBMISSION).exists():
        raise InputError(f"{folder}: holds answers to hand in, and no scores; give a scored run")
    return read_rows(folder / SCORED)


def read_rows(path: Path) -> list[ScoredAnswer]:
    """The scored rows of a file. Raises InputError where one is none, or its places are none."""
    rows = []
    for place, row in json_rows(path, ScoredAnswer, "scored answers"):
        for coords in (row.found, *(mark.coords for mark in row.marks)):
            try:
                _ = None if coords is None else location_from(coords)
            except ValueError as error:
                raise InputError(f"{place}: not a row of scored answers: {error}") from None
        rows.append(row)
    return rows
