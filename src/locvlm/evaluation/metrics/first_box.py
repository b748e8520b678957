"""The first box in an answer against the true one: localization and referring expressions."""

from __future__ import annotations

from collections.abc import Sequence

from locvlm.evaluation.intervals import Score, mean, rate
from locvlm.evaluation.task import AnswerContext, Outcome, Question, ScoredAnswer
from locvlm.geometry import Box, coords_of, iou

HIT = "the first box in the answer has an IoU of at least 0.5"
HEADLINES = ("mean IoU", "accuracy at IoU 0.5", "parse rate")


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The first box in the answer against the question's only location; none is an IoU of 0.

    Raises:
        InputError: how the answers write locations is not known.
    """
    (truth,) = question.instruction.locations
    box = next((place for place in context.locations(answer) if isinstance(place, Box)), None)
    if box is None:
        return Outcome(False, {"iou": 0.0, "parsed": False})
    overlap = float(iou(coords_of(box), coords_of(truth))[0, 0])
    return Outcome(overlap >= 0.5, {"iou": overlap, "parsed": True}, coords_of(box))


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Mean IoU, accuracy at IoU 0.5 and parse rate."""
    return {
        "mean IoU": mean((row.values["iou"] for row in rows), seed=seed),
        "accuracy at IoU 0.5": rate(row.hit for row in rows),
        "parse rate": rate(bool(row.values["parsed"]) for row in rows),
    }
