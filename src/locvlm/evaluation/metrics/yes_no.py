"""Answers that are a yes or a no, about things that are there and things that are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.task import AnswerContext, Outcome, Question, ScoredAnswer
from locvlm.instructions.objectives.presence import says_no

HIT = 'a no where the object is absent, no "no" where it is present'
HEADLINES = ("accuracy", "accuracy present", "accuracy absent")

CHOICES = ("Yes", "No")


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """An answer with "no", "nope", "none", "not", "cannot" or "…n't" is a no; others are a yes."""
    yes = not says_no(answer)
    hit = yes == (question.expected == "yes")
    return Outcome(hit, {"yes": yes})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy; precision and recall of "yes"; how often "yes" is said (half would be right)."""
    return {
        "accuracy": rate(row.hit for row in rows),
        "accuracy present": rate(row.hit for row in rows if row.expected == "yes"),
        "accuracy absent": rate(row.hit for row in rows if row.expected == "no"),
        **yes_scores(rows, lambda row: bool(row.values["yes"])),
    }


def yes_scores(
    rows: Sequence[ScoredAnswer], yes: Callable[[ScoredAnswer], bool]
) -> dict[str, Score]:
    """Precision and recall of "yes", and its rate among all answers."""
    return {
        "precision": rate(row.expected == "yes" for row in rows if yes(row)),
        "recall": rate(yes(row) for row in rows if row.expected == "yes"),
        "yes-rate": rate(yes(row) for row in rows),
    }
