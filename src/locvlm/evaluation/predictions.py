"""Written answers: those of `locvlm eval`, and those of any other tool.

A row of ours has all that is needed to read the answer again. Of another tool's rows two columns
count, an id and the answer, by the names of `IDS` and `ANSWERS` or by those that the user gives;
what else they hold cannot refuse them. A file is JSON lines, or one JSON list, as VQAv2's results,
or one object of answers by the questions' ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.geometry import Frame
from locvlm.io.json_rows import json_rows

IDS = ("id", "question_id", "questionId")
# Names that only what a model said has; `answer` may be the truth and `text` the question
SAID = ("prediction", "pred", "response", "output", "generated_text", "completion")
ANSWERS = (*SAID, "answer", "text")
_TRUTHS = ("label", "answers", "target", "gt_answer", "ground_truth")
_OF_AN_ANSWER = ("prompt", "model_id", "answer_id", "model")  # beside a `text` that is one


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of another tool's rows are read; None: told by their names."""

    id: str | None = None
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A raw answer. What another tool did not write down is empty."""

    id: str
    answer: str  # as given, unchanged
    image: str = ""
    model: str = ""
    prompt: str = ""  # as asked, coordinates written out
    expected: str = ""
    coordinates: dict[str, Any] | None = None  # {"format": name, "options": {…}}
    frame: Frame | None = None  # from original pixels to the model's
    cut: bool = False  # the clip is damaged or ends early: the model saw what there is
    digest: str = ""  # of the whole question, by which a run knows that it is still the same
    notes: tuple[str, ...] = ()  # what else is odd about the clip
    truncated: bool = False  # cut at the limit of tokens


_OWN = frozenset(Prediction.__dataclass_fields__) - {
    "digest",
    "notes",
    "truncated",
}  # older ones have none
_NO_COLUMNS = Columns()


def read_predictions(path: Path, columns: Columns = _NO_COLUMNS) -> list[Prediction]:
    """All answers, in the order of the file.

    Args:
        path: the file.
        columns: of another tool's rows, where their names do not tell.

    Raises:
        InputError: the file cannot be read; a row has no id or no answer, or it cannot be told
            which column they are; a row is the second to a question.
    """
    rows: list[Prediction] = []
    seen: set[str] = set()
    questions: list[str] = []  # where a text that was taken looks like one
    for place, row in _by_id(json_rows(path, dict[str, Any], "predictions"), columns):
        own = row.keys() >= _OWN and columns == _NO_COLUMNS
        prediction = _read_own(row, place) if own else _read_other(row, columns, place)
        if prediction.id in seen:
            raise InputError(f"{place}: a second answer to {prediction.id!r}; remove one")
        seen.add(prediction.id)
        rows.append(prediction)
        if not own and columns.answer is None and _may_be_question(row):
            questions.append(f"{place}: {row['text'][:60]!r}")
    if len(questions) > len(rows) / 2:
        raise InputError(
            f"{questions[0]} looks like the question, as most texts of this file do; say with "
            "--answer-column which column is the answer"
        )
    return rows


def _by_id(
    rows: Iterable[tuple[str, dict[str, Any]]], columns: Columns
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows; where there is but one, of texts alone and no column of ours, one for each text."""
    known = {*IDS, *ANSWERS, columns.id, columns.answer}
    first = list(islice(rows := iter(rows), 2))
    if len(first) == 1:
        [(place, row)] = first
        if row and known.isdisjoint(row) and all(isinstance(text, str) for text in row.values()):
            first = [(place, {"id": key, "prediction": text}) for key, text in row.items()]
    yield from chain(first, rows)


def _read_own(row: dict[str, Any], place: str) -> Prediction:
    try:
        return msgspec.convert(row, Prediction)
    except msgspec.ValidationError as error:
        raise InputError(f"{place}: not a row of predictions: {error}") from None


def _read_other(row: dict[str, Any], columns: Columns, place: str) -> Prediction:
    names = (columns.id,) if columns.id else IDS
    key = next((name for name in names if row.get(name) is not None), None)
    if key is None:
        raise InputError(_lacks(row, "id", names, place))
    answer = _find_answer(row, columns, place)
    coordinates = row.get("coordinates")
    located = isinstance(coordinates, dict) and {"format", "options"} <= coordinates.keys()
    return Prediction(
        id=_read_text(row[key], f"{place}, {key}"),
        answer=_read_text(row[answer], f"{place}, {answer}"),
        image=_text_or_empty(row, "image"),
        model=_text_or_empty(row, "model") or _text_or_empty(row, "model_id"),
        prompt=_text_or_empty(row, "prompt"),
        coordinates=coordinates if located else None,
        frame=_read_frame(row, place) if located else None,
        cut=row.get("cut") is True,
        truncated=row.get("truncated") is True,
    )


def _find_answer(row: dict[str, Any], columns: Columns, place: str) -> str:
    """The column that holds the answer.

    Raises InputError where there is none, or where it may be another's: a score of the truth, or of
    the question, would look like any other.
    """
    names = (columns.answer,) if columns.answer else ANSWERS
    there = [name for name in names if row.get(name) is not None]
    if not there:
        raise InputError(_lacks(row, "answer", names, place))
    name = there[0]
    if columns.answer:
        return name
    own = [each for each in there if each in SAID]
    if len(own) > 1 and row[own[0]] != row[own[1]]:
        raise InputError(
            f"{place}: {own[0]} and {own[1]} may both be the answer; say which with --answer-column"
        )
    truth = any(row.get(each) is not None for each in _TRUTHS)
    if not own and (truth or (name == "answer" and row.get("question") is not None)):
        raise InputError(
            f"{place}: looks like a row of the questions, with the true answer; name what the "
            f"model said prediction, or say with --answer-column {name} that it is the answer"
        )
    return name


def _may_be_question(row: dict[str, Any]) -> bool:
    """Files of questions have a `text` too, as LLaVA's do; those of answers say whose they are."""
    if any(row.get(name) is not None for name in (*ANSWERS[:-1], *_OF_AN_ANSWER)):
        return False
    return isinstance(row.get("text"), str) and row["text"].rstrip().endswith("?")


def _lacks(row: dict[str, Any], what: str, names: Sequence[str], place: str) -> str:
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
    return (
        f"{place}: has no {listed}, but {', '.join(list(row)[:12]) or 'nothing'}; say which column "
        f"is the {what} with --{what}-column"
    )


def _read_text(value: Any, where: str) -> str:
    """Text as it is, a whole number as text, and of a list of one what is in it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InputError(f"{where}: is no text, but {str(value)[:60]}; give the text alone")


def _text_or_empty(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _read_frame(row: dict[str, Any], place: str) -> Frame | None:
    """Of rows that say how they write locations: then it matters, and must be right."""
    try:
        return msgspec.convert(row.get("frame"), Frame | None)
    except msgspec.ValidationError as error:
        raise InputError(f"{place}, frame: {error}") from None
