"""MSVD-QA and MSRVTT-QA (Xu et al., ACM Multimedia 2017): questions made of clips' captions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from locvlm.coordinates.answers import find_answer
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.task import QuestionSet, ScoredAnswer, Sources, Task, TaskCard, TaskFile
from locvlm.io.reading import Id, decode_json

FIRST_WORDS = ("what", "who", "how", "when", "where")  # that the official scores are split by
OTHER = "other"
_WORD = re.compile(r"\w+")


class _Row(msgspec.Struct):
    id: Id
    video_id: int
    question: clips.Text
    answer: clips.Text


def load(
    sources: Sources, *, seed: int, options: Mapping[str, Any], name: str, clip: str
) -> QuestionSet:
    """All questions of a ``test_qa.json``, of the task `name`.

    `clip` is the file name of a clip, with ``{}`` where its ``video_id`` stands.

    Raises:
        InputError: it cannot be read, a row is not as the official ones, an id comes twice, or
            there is no clip.
    """
    path = sources["questions"]
    rows = decode_json(path, list[_Row], "a list of questions with id, video_id, question, answer")
    questions = (
        (
            f"[{place}].id",
            clips.make_question(
                name,
                str(row.id),
                clip.format(row.video_id),
                row.question,
                find_answer(row.answer),
                type=first_word(row.question),
            ),
        )
        for place, row in enumerate(rows)
    )
    return clips.question_set(sources, questions)


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy, and by the first word of the question."""
    return exact_match.summarize(rows, (*FIRST_WORDS, OTHER))


def first_word(question: str) -> str:
    """One of `FIRST_WORDS`, or other."""
    word = _WORD.search(question.lower())
    return word[0] if word and word[0] in FIRST_WORDS else OTHER


def _task(name: str, title: str, size: str, clip: str, hub: str = "") -> Task:
    return Task(
        name=name,
        title=f"Questions about clips: {title}",
        hit=exact_match.HIT,
        card=TaskCard(
            kind="video VQA",
            size=size,
            license="not stated",
            source="https://github.com/xudejing/video-question-answering",
            hub=hub,
            clips=True,
        ),
        files={"questions": TaskFile(f"{title}'s test_qa.json")},
        headlines=exact_match.HEADLINES,
        load=partial(load, name=name, clip=clip),
        score=exact_match.score,
        summarize=summarize,
        judge_group=exact_match.judge_group,
    )


TASKS = (
    _task(
        "msvd-qa",
        "MSVD-QA",
        "13,157 about 520 clips (test)",
        "vid{}.avi",
        hub="morpheushoc/msvd-qa",
    ),
    _task("msrvtt-qa", "MSRVTT-QA", "72,821 about 2,990 clips (test)", "video{}.mp4"),
)
