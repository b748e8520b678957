"""MSVD-QA and MSRVTT-QA (Xu et al., ACM Multimedia 2017): questions made of clips' captions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.questions.clip_rows import (
    clip_names,
    find_answer,
    read_answers,
    read_clip_rows,
)
from locvlm.evaluation.task import QuestionSet, ScoredAnswer, Sources, Task, TaskCard, TaskFile

FIRST_WORDS = ("what", "who", "how", "when", "where")  # that the official scores are split by
OTHER = "other"
_WORD = re.compile(r"\w+")


_QUESTIONS = "questions with id, video_id, question, answer, such as test_qa.json"
_ANSWERS = "answers with question_id and answer, such as test_a.json"


def load(
    sources: Sources,
    *,
    seed: int,
    options: Mapping[str, Any],
    name: str,
    prefix: str,
    suffix: str,
) -> QuestionSet:
    """All questions of a ``test_qa.json``, of the task `name`; other forms are in `clip_rows`.

    A clip's file is called `prefix`, ``video_id``, `suffix`.

    Raises:
        InputError: it cannot be read, a row has not what is needed, an id comes twice, a question
            has no answer, or there is no clip. Answers to no question are counted as dropped.
    """
    answers = read_answers(sources, _ANSWERS)
    rows = read_clip_rows(sources["questions"])
    questions, asked = [], set()
    for place, row in enumerate(rows):
        words = row.text("question", _QUESTIONS)
        number = row.text("id", _QUESTIONS) if "id" in row.fields else str(place)
        clip = clip_names(row.text("clip", _QUESTIONS), prefix, suffix)[0]
        answer = find_answer(row, number, answers, sources).text("answer", _QUESTIONS)
        asked.add(number)
        kind = first_word(words)
        made = clips.make_question(name, number, clip, words, answer, type=kind)
        questions.append((row.where("id"), made))
    spare = len((answers or {}).keys() - asked)
    return clips.question_set(
        sources,
        questions,
        +Counter({"answers to no question": spare}),
        lambda clip: clip_names(clip, prefix, suffix),
    )


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy, and by the first word of the question."""
    return exact_match.summarize(rows, (*FIRST_WORDS, OTHER))


def first_word(question: str) -> str:
    """One of `FIRST_WORDS`, or other."""
    word = _WORD.search(question.lower())
    return word[0] if word and word[0] in FIRST_WORDS else OTHER


def _task(name: str, title: str, size: str, clip: tuple[str, str], hub: str = "") -> Task:
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
        files={
            "questions": TaskFile(f"{title}'s test_qa.json, or test_q.json"),
            "annotations": TaskFile("test_a.json, beside a test_q.json", needed=False),
        },
        headlines=exact_match.HEADLINES,
        load=partial(load, name=name, prefix=clip[0], suffix=clip[1]),
        score=exact_match.score,
        summarize=summarize,
        judge_group=exact_match.judge_group,
    )


TASKS = (
    _task(
        "msvd-qa",
        "MSVD-QA",
        "13,157 about 520 clips (test)",
        ("vid", ".avi"),
        hub="morpheushoc/msvd-qa",
    ),
    _task("msrvtt-qa", "MSRVTT-QA", "72,821 about 2,990 clips (test)", ("video", ".mp4")),
)
