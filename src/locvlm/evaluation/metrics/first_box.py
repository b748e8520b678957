"""The first box in an answer against the true one: localization and referring expressions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from locvlm.evaluation.intervals import Score, mean, rate
from locvlm.evaluation.metrics.absence import says_none
from locvlm.evaluation.task import AnswerContext, Outcome, Question, ScoredAnswer
from locvlm.geometry import Box, Location, coords_of, iou

HIT = "the first box in the answer has an IoU of at least 0.5"
HEADLINES = ("mean IoU", "accuracy at IoU 0.5", "parse rate")
NOT_THERE = "not there"  # among the values where there is no box: whether the answer says so


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The first box in the answer against the true one, or the best of several true ones.

    No box is an IoU of 0. Whether the answer then says that there is nothing is kept apart from
    what cannot be read.

    Raises:
        InputError: how the answers write locations is not known.
    """
    box = next((place for place in context.locations(answer) if isinstance(place, Box)), None)
    if box is None:
        return Outcome(False, {"iou": 0.0, "parsed": False, NOT_THERE: says_none(answer)})
    truths = np.array([coords_of(truth) for truth in _true_boxes(question)])
    best = float(iou(coords_of(box), truths).max())
    return Outcome(best >= 0.5, {"iou": best, "parsed": True}, coords_of(box))


def _true_boxes(question: Question) -> Sequence[Location]:
    """The question's location; all marks where it names one of several."""
    places = question.instruction.locations
    marks = question.marks
    return [Box(*mark.coords) for mark in marks] if len(marks) > len(places) else places


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Mean IoU, accuracy at IoU 0.5; and the shares with a box, "not there", and neither.

    The last two have no value where rows are of before that was kept.
    """
    values = [row.values for row in rows]
    known = values if all(of["parsed"] or NOT_THERE in of for of in values) else []
    return {
        "mean IoU": mean((row.values["iou"] for row in rows), seed=seed),
        "accuracy at IoU 0.5": rate(row.hit for row in rows),
        "parse rate": rate(bool(row.values["parsed"]) for row in rows),
        "not there rate": rate(bool(of.get(NOT_THERE)) for of in known),
        "unparsed rate": rate(not (of["parsed"] or of[NOT_THERE]) for of in known),
    }
