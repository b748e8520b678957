"""Free answers of a word or two, compared as text with the one true answer.

The scorers of ActivityNet-QA (https://github.com/MILVLG/activitynet-qa), of MSVD-QA and MSRVTT-QA
(https://github.com/xudejing/video-question-answering) and of TGIF-QA's FrameQA
(https://github.com/YunseokJANG/tgif-qa) take the very same text alone for right: that is `verbatim
accuracy`. It fits models that choose from a list of answers. `accuracy` forgives what a model that
writes them adds.
"""

from __future__ import annotations

from collections.abc import Sequence

from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.task import AnswerContext, Outcome, Question, ScoredAnswer, group_by_meta

HIT = "the true answer, apart from case, spaces and closing marks"
HEADLINES = ("accuracy",)


def tidy(text: str) -> str:
    """Lower case, single spaces, none around it, and no `.`, `,`, `:`, `;`, `!`, `?` at its end.

    >>> tidy("  Playing  guitar. ")
    'playing guitar'
    """
    return " ".join(text.lower().split()).rstrip(" .,:;!?")


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """A hit where both are the same once tidy; verbatim where they are as they stand."""
    return Outcome(
        tidy(answer) == tidy(question.expected), {"verbatim": answer == question.expected}
    )


def summarize(rows: Sequence[ScoredAnswer], types: Sequence[str]) -> dict[str, Score]:
    """Accuracy over all, verbatim too, and of each of the `types` (``meta["type"]``)."""
    groups = group_by_meta(rows, "type")
    return {
        "accuracy": rate(row.hit for row in rows),
        "verbatim accuracy": rate(bool(row.values["verbatim"]) for row in rows),
        **{f"type/{name}": rate(row.hit for row in groups.get(name, ())) for name in types},
    }


def judge_group(question: Question) -> str | None:
    """The type of the question: verdicts of a judge are split by it."""
    return question.meta["type"]
