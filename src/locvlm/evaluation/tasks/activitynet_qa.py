"""ActivityNet-QA (arXiv 1906.02467): questions that people asked about long clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.questions.clip_rows import (
    ClipQuestion,
    clip_names,
    find_answer,
    read_answers,
    read_clip_rows,
)
from locvlm.evaluation.task import (
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    TaskFile,
)
from locvlm.io.reading import quote

NAME = "activitynet-qa"

# In the order of the official numbers, from 0.
TYPES = (
    *("motion", "spatial", "temporal"),
    *("yes-no", "color", "object", "location", "number", "other"),
)
FREE = frozenset(TYPES[3:])  # what its authors call free questions


_QUESTIONS = "questions with question_id, video_name, question, such as test_q.json"
_ANSWERS = "answers with question_id, answer, type, such as test_a.json"
_UNKNOWN = "not given"  # type of a question whose row has none
_SAME = {"y-n": "yes-no", "yesno": "yes-no", "colour": "color", "counting": "number"}
_ID = 11  # characters of a YouTube id, which may begin as the names of clips do


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """All questions with their answers; the clip of ``video_name`` X is ``v_X.mp4``.

    Other forms of the files are in `clip_rows`.

    Raises:
        InputError: a row has not what is needed, an id comes twice, a question has no answer, or
            there is no clip. Answers to no question are counted as dropped.
    """
    answers = read_answers(sources, _ANSWERS)
    for answer in (answers or {}).values():
        _type_of(answer)
    rows = [(row.text("id", _QUESTIONS), row) for row in read_clip_rows(sources["questions"])]
    spare = len((answers or {}).keys() - {number for number, _ in rows})
    return clips.question_set(
        sources,
        _questions(rows, answers, sources),
        +Counter({"answers to no question": spare}),
        lambda clip: clip_names(clip, "v_", ".mp4", {_ID}),
    )


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
        "annotations": TaskFile(
            "its test_a.json, with the answers and their types, where the questions have none",
            needed=False,
        ),
    },
    headlines=exact_match.HEADLINES,
    load=load,
    score=exact_match.score,
    summarize=summarize,
    judge_group=exact_match.judge_group,
)


def _questions(
    rows: list[tuple[str, ClipQuestion]],
    answers: Mapping[str, ClipQuestion] | None,
    sources: Sources,
) -> Iterator[tuple[str, Question]]:
    for number, row in rows:
        asked, clip = row.text("question", _QUESTIONS), row.text("clip", _QUESTIONS)
        answer = find_answer(row, number, answers, sources)
        name = clip_names(clip, "v_", ".mp4", {_ID})[0]
        said, kind = answer.text("answer", _ANSWERS), _type_of(answer)
        yield row.where("id"), clips.make_question(NAME, number, name, asked, said, type=kind)


def _type_of(row: ClipQuestion) -> str:
    """One of `TYPES`, which may be given by its number, also as text, or by its name."""
    if "type" not in row.fields:
        return _UNKNOWN
    given = row.text("type", _ANSWERS).strip().lower()
    if given.isdecimal() and int(given) < len(TYPES):
        return TYPES[int(given)]
    name = given.replace("/", "-").replace("_", "-").replace(" ", "-")
    if _SAME.get(name, name) in TYPES:
        return _SAME.get(name, name)
    raise InputError(
        f"{row.path}: {row.where('type')}: {quote(given)} is no type; give a number >= 0 and <= "
        f"{len(TYPES) - 1}, or a name: {', '.join(TYPES)}"
    )
