"""ActivityNet-QA (arXiv 1906.02467): questions that people asked about long clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.task import (
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    TaskFile,
)
from locvlm.io.reading import decode_json

NAME = "activitynet-qa"

# In the order of the official numbers, from 0.
TYPES = (
    *("motion", "spatial", "temporal"),
    *("yes-no", "color", "object", "location", "number", "other"),
)
FREE = frozenset(TYPES[3:])  # what its authors call free questions


class _Question(msgspec.Struct):
    question_id: str
    video_name: clips.Text
    question: clips.Text


class _Answer(msgspec.Struct):
    question_id: str
    answer: clips.Text
    type: Annotated[int, msgspec.Meta(ge=0, lt=len(TYPES))]


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """All questions with their answers; the clip of ``video_name`` X is ``v_X.mp4``.

    Raises:
        InputError: a row is not as the official ones, an id comes twice, a question has no answer,
            or there is no clip. Answers to no question are counted as dropped.
    """
    path = sources["questions"]
    rows = decode_json(path, list[_Question], "a list of questions, such as test_q.json")
    answers = _answers(sources["annotations"])
    asked = {row.question_id for row in rows}
    dropped = Counter({"answers to no question": len(answers.keys() - asked)})
    return clips.question_set(sources, _questions(rows, answers, sources), +dropped)


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy, by type, and of the free questions together."""
    scores = exact_match.summarize(rows, TYPES)
    return scores | {"type/free": rate(row.hit for row in rows if row.meta["type"] in FREE)}


TASK = Task(
    name=NAME,
    title="Questions about clips: ActivityNet-QA",
    hit=exact_match.HIT,
    card=TaskCard(
        kind="video VQA",
        size="8,000 about 800 clips (test)",
        license="MIT (its repository)",
        source="https://github.com/MILVLG/activitynet-qa",
        hub="lmms-lab/ActivityNetQA",
        clips=True,
    ),
    files={
        "questions": TaskFile("ActivityNet-QA's test_q.json"),
        "annotations": TaskFile("its test_a.json, with the answers and their types"),
    },
    headlines=exact_match.HEADLINES,
    load=load,
    score=exact_match.score,
    summarize=summarize,
    judge_group=exact_match.judge_group,
)


def _answers(path: Path) -> dict[str, _Answer]:
    found: dict[str, _Answer] = {}
    rows = decode_json(path, list[_Answer], "a list of answers, such as test_a.json")
    for number, row in enumerate(rows):
        if row.question_id in found:
            place = f"{path}: [{number}].question_id"
            raise InputError(f"{place}: a second answer to {row.question_id!r}; remove one")
        found[row.question_id] = row
    return found


def _questions(
    rows: list[_Question], answers: Mapping[str, _Answer], sources: Sources
) -> Iterator[tuple[str, Question]]:
    for number, row in enumerate(rows):
        place = f"[{number}].question_id"
        answer = answers.get(row.question_id)
        if answer is None:
            raise InputError(
                f"{sources['questions']}: {place}: {row.question_id!r} has no answer in "
                f"{sources['annotations']}; give the two files of one split"
            )
        yield (
            place,
            clips.make_question(
                NAME,
                row.question_id,
                f"v_{row.video_name}.mp4",
                row.question,
                answer.answer,
                type=TYPES[answer.type],
            ),
        )
