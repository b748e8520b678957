"""POPE (arXiv 2305.10355): is the object in the picture, with absent ones chosen to tempt.

The scores are those of ``evaluate.py`` in https://github.com/AoiDragon/POPE, beside stricter ones.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, f1, rate
from locvlm.evaluation.metrics.yes_no import CHOICES, yes_scores
from locvlm.evaluation.questions.coco_photos import file_names
from locvlm.evaluation.questions.texts import clean_text
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    TaskFile,
    group_by_meta,
)
from locvlm.instructions.base import Instruction
from locvlm.io.json_rows import json_rows
from locvlm.io.reading import is_folder
from locvlm.media.image_files import find_images, safe_name

NAME = "pope"
HEADLINES = ("accuracy", "precision", "recall", "F1", "yes-rate")

_WORD = re.compile(r"\w+")


class _Row(msgspec.Struct):
    """A question as POPE writes it."""

    question_id: int | str
    image: str
    text: str
    label: Literal["yes", "no"]


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """The questions of a file, or of all files ``*_pope_*`` below a folder.

    Raises:
        InputError: there is no such file, a row is malformed, or two questions have one id.
    """
    path = sources["questions"]
    several = is_folder(path)
    rows = [
        (place, file, row)
        for file in (_files_below(path) if several else [path])
        for place, row in json_rows(file, _Row, "POPE's questions")
    ]
    names = {row.image: file_names(safe_name(row.image, place)) for place, _, row in rows}
    skipped = Drops()
    found = find_images(names, sources.images, path, skipped)
    questions = [
        _question(row, place, f"{file.stem}/" if several else "", found[row.image], file.stem)
        for place, file, row in rows
        if row.image in found
    ]
    (common, count), *_ = Counter(question.id for question in questions).most_common(1) or [("", 0)]
    if count > 1:
        raise InputError(f"{path}: {count} questions have the id {common!r}; remove all but one")
    return QuestionSet(tuple(questions), skipped, source=path.name)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """POPE's reading, and the strict one: the first word is yes or no, anything else is wrong."""
    yes = says_yes(answer)
    word = _WORD.search(answer)
    first = word[0].lower() if word else ""
    return Outcome(
        yes == (question.expected == "yes"),
        {"yes": yes, "strict yes": first == "yes", "strict no": first == "no"},
    )


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """All scores over all questions and, where they come from several files, for each of them."""
    scores = _scores(rows, seed)
    files = group_by_meta(rows, "file")
    for file, group in sorted(files.items()) if len(files) > 1 else ():
        scores |= {f"{file}/{name}": value for name, value in _scores(group, seed).items()}
    return scores


def resample(
    runs: Sequence[Sequence[ScoredAnswer]], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """All scores of draws, over all questions and by file; see `ResampleScores`."""
    files = np.array([row.meta["file"] for row in runs[0]])
    groups = {f"{file}/": np.flatnonzero(files == file) for file in sorted(set(files.tolist()))}
    groups = {"": np.arange(len(files)), **(groups if len(groups) > 1 else {})}
    columns = [_columns(rows) for rows in runs]
    found: dict[str, list[NDArray[np.float64]]] = {}
    for group, places in groups.items():
        drawn = counts[:, places].astype(np.float64)
        for of in columns:
            for name, values in _ratios(drawn @ of[places]).items():
                found.setdefault(group + name, []).append(values)
    return {name: np.array(values) for name, values in found.items()}


TASK = Task(
    name=NAME,
    title="POPE: is the object in the picture",
    hit="the answer is right by POPE's own reading",
    card=TaskCard(
        kind="object hallucination",
        size="3,000 per file: COCO, A-OKVQA and GQA, each random, popular and adversarial",
        license="MIT",
        source="https://github.com/AoiDragon/POPE (output/)",
        hub="lmms-lab/POPE",
    ),
    files={"questions": TaskFile("coco_pope_random.json or another, or a folder of such files")},
    headlines=HEADLINES,
    load=load,
    score=score,
    summarize=summarize,
    resample_others=resample,
)


def says_yes(answer: str) -> bool:
    """POPE's reading: a yes, unless the first sentence has the word "No", "no" or "not".

    Sentences end at a full stop, words at a space, and commas do not count.

    >>> says_yes("There is no dog, as far as I see."), says_yes("Nope")
    (False, True)
    """
    words = answer.split(".", 1)[0].replace(",", "").split(" ")
    return not {"No", "no", "not"}.intersection(words)


def _files_below(path: Path) -> list[Path]:
    files = sorted(path.rglob("*_pope_*.json*"), key=lambda file: file.name)
    if not files:
        raise InputError(f"{path}: has no file *_pope_*.json; give POPE's questions")
    return files


def _question(row: _Row, place: str, prefix: str, image: str, file: str) -> Question:
    text = clean_text(row.text, place)
    return Question(
        id=f"{prefix}{row.question_id}",
        image=image,
        size=None,
        instruction=Instruction(NAME, text, row.label.capitalize()),
        expected=row.label,
        meta={"file": file},
        choices=CHOICES,
    )


def _columns(rows: Sequence[ScoredAnswer]) -> NDArray[np.float64]:
    """(N, 9): 1, it is there, neither; right, yes, a true yes; these three strictly."""
    true = np.array([row.expected == "yes" for row in rows])
    yes, strict, no = (
        np.array([bool(row.values[name]) for row in rows])
        for name in ("yes", "strict yes", "strict no")
    )
    right = np.array([row.hit for row in rows])
    columns = (np.ones(len(rows)), true, ~(strict | no), right, yes, yes & true)
    strictly = (np.where(true, strict, no), strict, strict & true)
    return np.stack([*columns, *strictly], axis=1).astype(np.float64)


def _ratios(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The scores of (D, 9) sums of `_columns`, named as in `_scores`; nan of nothing."""
    n, true, neither, *readings = sums.T
    found: dict[str, NDArray[np.float64]] = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for start, (right, yes, both) in (("", readings[:3]), ("strict ", readings[3:])):
            found |= {
                f"{start}accuracy": right / n,
                f"{start}precision": both / yes,
                f"{start}recall": both / true,
                f"{start}yes-rate": yes / n,
                f"{start}F1": 2 * both / (yes + true),
            }
        found["neither"] = neither / n
    return found


def _scores(rows: Sequence[ScoredAnswer], seed: int) -> dict[str, Score]:
    """By POPE's reading, then strictly."""
    official = _reading_scores(rows, lambda row: row.hit, "yes", seed)
    strict = _reading_scores(
        rows, lambda row: bool(row.values[f"strict {row.expected}"]), "strict yes", seed
    )
    neither = rate(not (row.values["strict yes"] or row.values["strict no"]) for row in rows)
    return {
        **official,
        **{f"strict {name}": value for name, value in strict.items()},
        "neither": neither,
    }


def _reading_scores(
    rows: Sequence[ScoredAnswer], right: Callable[[ScoredAnswer], bool], yes: str, seed: int
) -> dict[str, Score]:
    """By one of the readings: what is `right`, and which of the values says yes."""
    pairs = Counter((bool(row.values[yes]), row.expected == "yes") for row in rows)
    counts = pairs[True, True], pairs[True, False], pairs[False, True]
    scores = {
        "accuracy": rate(map(right, rows)),
        **yes_scores(rows, lambda row: bool(row.values[yes])),
        "F1": f1(*counts, len(rows), seed=seed),
    }
    return {name: scores[name] for name in HEADLINES}
