"""Written answers: those of `locvlm eval`, and those of any other tool.

A row of ours has all that is needed to read the answer again. Of another tool's rows an id
(``id``, ``question_id`` or GQA's ``questionId``) and the answer (``prediction``, ``answer`` or
``text``) are needed; a file of such rows is JSON lines, or one JSON list, as VQAv2's results are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.geometry import Frame
from locvlm.io.json_rows import json_rows


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


class _Row(msgspec.Struct):
    """Any of the forms."""

    id: int | str | None = None
    question_id: int | str | None = None
    questionId: int | str | None = None
    prediction: str | None = None
    pred: str | None = None
    answer: str | None = None
    text: str | None = None
    question: str | None = None
    label: int | str | None = None
    image: str | None = None
    model: str | None = None
    model_id: str | None = None
    prompt: str | None = None
    expected: str | None = None
    coordinates: dict[str, Any] | None = None
    frame: Frame | None = None
    cut: bool = False
    digest: str = ""


def read_predictions(path: Path) -> list[Prediction]:
    """All answers, in the order of the file.

    Raises:
        InputError: the file cannot be read; a row is malformed, has no id or no answer, or is the
            second to a question.
    """
    rows: list[Prediction] = []
    seen: set[str] = set()
    for place, row in json_rows(path, _Row, "predictions"):
        prediction = _prediction(row, place)
        if prediction.id in seen:
            raise InputError(f"{place}: a second answer to {prediction.id!r}; remove one")
        seen.add(prediction.id)
        rows.append(prediction)
    return rows


def _prediction(row: _Row, place: str) -> Prediction:
    numbers = (row.id, row.question_id, row.questionId)
    number = next((text for text in numbers if text is not None), None)
    answers = (row.prediction, row.pred, row.answer, row.text)
    answer = next((text for text in answers if text is not None), None)
    own = row.prediction is not None or row.pred is not None
    if not own and (row.label is not None or (row.question is not None and row.answer is not None)):
        raise InputError(
            f"{place}: looks like a row of the questions, with the true answer; name what the "
            "model said prediction"
        )
    if number is None or answer is None:
        lacks = "id or question_id" if number is None else "prediction, answer or text"
        raise InputError(f"{place}: has no {lacks}; give each answer its question")
    return Prediction(
        id=str(number),
        answer=answer,
        image=row.image or "",
        model=row.model or row.model_id or "",
        prompt=row.prompt or "",
        expected=row.expected or "",
        coordinates=row.coordinates,
        frame=row.frame,
        cut=row.cut,
        digest=row.digest,
    )
