"""VQAv2 (arXiv 1612.00837): free questions about COCO pictures, answered by ten people each.

What people answered to the questions of its test splits is not public: a server scores these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any

import msgspec

from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, mean
from locvlm.evaluation.metrics.vqa_accuracy import accuracy, count_agreeing
from locvlm.evaluation.questions import short_answers
from locvlm.evaluation.questions.coco_photos import file_names
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Submission,
    Task,
    TaskCard,
    TaskFile,
    group_by_meta,
)
from locvlm.io.reading import Id, decode_json
from locvlm.media.image_files import find_images

NAME = "vqav2"
HEADLINES = ("accuracy", "accuracy always normalized")

_ENOUGH = 3  # people whose answer is taken for right


class _Question(msgspec.Struct, gc=False):
    question_id: Id
    image_id: int
    question: str


class _Questions(msgspec.Struct):
    questions: list[_Question]
    data_subtype: str = "val2014"


class _Answer(msgspec.Struct, gc=False):
    answer: str


class _Annotation(msgspec.Struct, gc=False):
    question_id: Id
    question_type: str  # its first words, such as "what color is the"
    answer_type: str  # yes/no, number or other
    multiple_choice_answer: str  # the most frequent one
    answers: msgspec.Raw  # list[_Answer], two million in all: decoded one after the other


class _Annotations(msgspec.Struct):
    annotations: list[_Annotation]


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """The questions of the pictures that are there.

    Raises:
        InputError: a file is malformed; an id is there twice; a question has no annotation, or an
            annotation no answers; none of the pictures is there; the option `prompt` is unknown.
    """
    path, notes = sources["questions"], sources.get("annotations")
    # the larger file first, while nothing else is in memory
    truths = None if notes is None else _read_truths(notes)
    data = decode_json(path, _Questions, "a VQA questions file (v2_OpenEnded_*_questions.json)")
    _check_ids(path, data.questions, truths, notes)
    skipped, dropped = Drops(), Counter[str]()
    split = data.data_subtype.replace("test-dev", "test")  # a part of it, with the same pictures
    names = {
        item.image_id: file_names(f"COCO_{split}_{item.image_id:012}.jpg")
        for item in data.questions
    }
    found = find_images(names, sources.images, path, skipped)
    questions = tuple(
        _question(
            item,
            _UNKNOWN if truths is None else truths[str(item.question_id)],
            found[item.image_id],
            options,
            path,
        )
        for item in data.questions
        if item.image_id in found
    )
    if truths is not None:
        dropped["annotations of other questions"] += len(truths) - len(data.questions)
        return QuestionSet(questions, skipped, path.name, dropped=+dropped)
    if not split.startswith("test"):
        return QuestionSet(questions, skipped, path.name, truths="not given")
    left = tuple(str(each.question_id) for each in data.questions if each.image_id not in found)
    return QuestionSet(questions, skipped, path.name, truths="secret", not_asked=left)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The official accuracy, and the one that normalizes where all people agree too."""
    n = len(question.accepted)
    agreeing = count_agreeing(answer, question.accepted)
    values = {
        "accuracy": accuracy(agreeing, n),
        "accuracy always normalized": accuracy(
            count_agreeing(answer, question.accepted, always=True), n
        ),
    }
    return Outcome(agreeing >= _ENOUGH, values)


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both over all; the official one by type of the answer, then by type of the question."""
    scores = {rule: _accuracy(rows, rule, seed) for rule in HEADLINES}
    for kind in ("answer type", "question type"):
        for name, group in sorted(group_by_meta(rows, kind).items()):
            scores[f"{kind}/{name}"] = _accuracy(group, "accuracy", seed)
    return scores


def _submit(id: str, answer: str) -> dict[str, Any]:
    """A row of the results file. The server normalizes answers by itself."""
    return {"question_id": int(id) if id.isdecimal() else id, "answer": answer}


TASK = Task(
    name=NAME,
    title="VQAv2: free questions about pictures",
    hit="at least three of the ten people gave this answer",
    card=TaskCard(
        kind="image VQA",
        size="214,354 (val), 447,793 (test)",
        license="CC BY 4.0 (annotations)",
        source="https://visualqa.org/download.html",
        hub="lmms-lab/VQAv2",
    ),
    files={
        "questions": TaskFile("v2_OpenEnded_mscoco_val2014_questions.json, or test2015's"),
        "annotations": TaskFile(
            "v2_mscoco_val2014_annotations.json; test splits have none", needed=False
        ),
    },
    headlines=HEADLINES,
    options=short_answers.OPTIONS,
    load=load,
    score=score,
    summarize=summarize,
    submission=Submission(_submit, "https://visualqa.org/challenge.html"),
)


def _accuracy(rows: Sequence[ScoredAnswer], rule: str, seed: int) -> Score:
    """The mean, called a rate, for the field gives it in percent."""
    return replace(mean((row.values[rule] for row in rows), seed=seed), kind="rate")


def _check_ids(
    path: Path,
    questions: Sequence[_Question],
    truths: Mapping[str, _Truth] | None,
    notes: Path | None,
) -> None:
    """Each question is there once and has its answers, where there are any."""
    seen: set[str] = set()
    for place, item in enumerate(questions):
        where, number = f"{path}: questions[{place}]", str(item.question_id)
        if number in seen:
            raise InputError(f"{where}: repeats the id {number!r}; ids are unique")
        if truths is not None and number not in truths:
            raise InputError(f"{where}: {number!r} is not in {notes}; give the file of this split")
        seen.add(number)


@dataclass(frozen=True, slots=True)
class _Truth:
    """What people answered to a question."""

    most: str  # the most frequent answer
    all: tuple[str, ...]
    types: Mapping[str, str]  # of the answer and of the question


_UNKNOWN = _Truth("", (), {})


def _read_truths(path: Path) -> dict[str, _Truth]:
    """The annotations by the question's id."""
    data = decode_json(path, _Annotations, "a VQA annotations file (v2_mscoco_*_annotations.json)")
    truths: dict[str, _Truth] = {}
    for place, item in enumerate(data.annotations):
        number = str(item.question_id)
        where = f"{path}: annotations[{place}] (question {number!r})"
        if number in truths:
            raise InputError(f"{where}: a second one of this question; remove one")
        truths[number] = _Truth(
            most=item.multiple_choice_answer,
            all=_answers(item.answers, where),
            types=_types(item.answer_type, item.question_type),
        )
    return truths


def _answers(data: msgspec.Raw, where: str) -> tuple[str, ...]:
    try:
        answers = msgspec.json.decode(data, type=list[_Answer])
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(f"{where}: answers: {error}") from None
    if not answers:
        raise InputError(f"{where}: has no answers; give it those of people")
    return tuple(intern(given.answer) for given in answers)


@cache
def _types(answer: str, question: str) -> Mapping[str, str]:
    """Without slashes, which separate the parts of a score's name."""
    return {"answer type": answer.replace("/", "-"), "question type": question.replace("/", "-")}


def _question(
    item: _Question, truth: _Truth, image: str, options: Mapping[str, Any], path: Path
) -> Question:
    where = f"{path}: question {item.question_id!r}"
    return Question(
        id=str(item.question_id),
        image=image,
        size=None,
        instruction=short_answers.make_instruction(NAME, item.question, truth.most, options, where),
        expected=truth.most,
        meta=truth.types,
        accepted=truth.all,
    )
