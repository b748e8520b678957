"""The files of runs: their names, what ``run.json`` holds, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation.learned_asked import LearnedAsked
from locvlm.evaluation.task import ScoredAnswer
from locvlm.io.json_rows import json_rows

RUN, PREDICTIONS, SCORED, SCORES = "run.json", "predictions.jsonl", "scored.jsonl", "scores.json"
REPORT, PICTURES = "report.md", "pictures"
SUBMISSION = "submission.json"  # answers to questions whose true answers a server alone has
COMPARISON = "report.html"  # of several runs
SUITE_PAGE, SUITE_TABLE = "suite.html", "suite.md"

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
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: not a file that locvlm eval wrote ({error})") from None


def read_scored(folder: Path) -> list[ScoredAnswer]:
    """The scored rows of a run's folder. Raises InputError where it has none."""
    if not (folder / SCORED).exists() and (folder / SUBMISSION).exists():
        raise InputError(f"{folder}: holds answers to hand in, and no scores; give a scored run")
    return [row for _, row in json_rows(folder / SCORED, ScoredAnswer, "scored answers")]
