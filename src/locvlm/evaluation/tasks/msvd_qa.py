"""MSVD-QA (Xu et al., ACM Multimedia 2017): questions made of the captions of short clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.task import Card, File, QuestionSet, Scored, Sources

NAME = "msvd-qa"
TITLE = "Questions about clips: MSVD-QA"
HIT = exact_match.HIT
CARD = Card(
    kind="video VQA",
    size="13,157 about 520 clips (test)",
    license="not stated",
    source="https://github.com/xudejing/video-question-answering",
    hub="morpheushoc/msvd-qa",
    clips=True,
)
FILES: Mapping[str, File] = {"questions": File("MSVD-QA's test_qa.json")}
OPTIONS: Mapping[str, Any] = {}
HEADLINES = exact_match.HEADLINES

score = exact_match.score
judged_as = exact_match.judged_as


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """All questions; the clip of ``video_id`` 1451 is ``vid1451.avi``."""
    return clips.read_generated(sources, NAME, "vid{}.avi".format)


def summarize(rows: Sequence[Scored], *, seed: int) -> dict[str, Score]:
    """Accuracy, and by the first word of the question."""
    return exact_match.summarize(rows, (*clips.FIRST_WORDS, clips.OTHER))
