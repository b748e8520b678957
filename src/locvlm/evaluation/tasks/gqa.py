"""GQA (arXiv 1902.09506): questions made of scene graphs, each with one short answer.

The official `eval.py` also gives validity, plausibility, consistency, grounding and the match of
distributions. Those need further files (choices, scene graphs, answers to all unbalanced questions)
and are not given here. The answers of its test and challenge splits are not public: a server scores
these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.questions import short_answers
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
    Truths,
    group_by_meta,
)
from locvlm.io.reading import decode_json, text_lines
from locvlm.media.image_files import find_images, safe_name

NAME = "gqa"
_OFFICIAL = "testdev_balanced_questions.json"
HEADLINES = ("accuracy", "strict accuracy")

# The official file's words for what a question is about, and those that its tables print
_ABOUT = {
    "attr": "attribute",
    "cat": "category",
    "global": "scene",
    "obj": "object",
    "rel": "relation",
}


class _Types(msgspec.Struct, gc=False):
    structural: str  # verify, query, choose, logical, compare
    semantic: str  # a key of `_ABOUT`


class _Question(msgspec.Struct, gc=False):
    """A question of the official file."""

    question: str
    imageId: str
    answer: str | UnsetType = UNSET  # test splits have neither answers nor types
    types: _Types | UnsetType = UNSET
    isBalanced: bool = True


class _Line(msgspec.Struct, gc=False):
    """A question of LLaVA's file."""

    question_id: str
    image: str  # file name
    text: str  # the question and how to answer it


class _ImageQuestion(NamedTuple):
    """What is asked about which picture."""

    where: str  # for messages
    image: str  # file name
    text: str


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """The balanced questions of the pictures that are there; of a test split all of them.

    Raises:
        InputError: a file is malformed; LLaVA's has an id twice, or one that the official file has
            not; a file name leads out of its folder; none of the pictures is there; the option
            `prompt` is unknown.
    """
    path, official = sources["questions"], sources.get("annotations")
    skipped, dropped = Drops(), Counter[str]()
    if official is None and path.suffix == ".jsonl":  # LLaVA's, which can be asked alone
        asked = _llava_questions(path, None, path)
        truths = dict.fromkeys(asked, _Question(question="", imageId=""))
        known: Truths = "not given"
    else:
        truths = _read_truths(official or path, dropped)
        known = "secret" if any(it.answer is UNSET for it in truths.values()) else "there"
        asked = (
            _official_questions(path, truths)
            if official is None
            else _llava_questions(path, truths, official)
        )
    kind = "questions" if known == "secret" else "balanced questions"
    dropped[f"{kind} that are not asked"] += len(truths) - len(asked)
    names = {item.image: (item.image, f"images/{item.image}") for item in asked.values()}
    found = find_images(names, sources.images, path, skipped)
    questions = tuple(
        _question(number, item, truths[number], found[item.image], options)
        for number, item in asked.items()
        if item.image in found
    )
    there = {question.id for question in questions} if known == "secret" else truths
    left = tuple(number for number in truths if number not in there)
    return QuestionSet(
        questions, skipped, path.name, dropped=+dropped, truths=known, not_asked=left
    )


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The answer is the true one. Strict, as the official `eval.py` has it: to the letter.

    Else as LLaVA's `convert_gqa_for_eval.py` writes answers down before: lower case, no periods at
    the end; space around them is taken off already when they are first written.
    """
    hit = _tidy(answer) == question.expected
    return Outcome(hit, {"accuracy": hit, "strict accuracy": answer == question.expected})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both over all; the first for binary and open questions, and by type."""
    scores = {rule: rate(bool(row.values[rule]) for row in rows) for rule in HEADLINES}
    for kind in ("answer", "structural type", "semantic type"):
        for name, group in sorted(group_by_meta(rows, kind).items()):
            scores[f"{kind}/{name}"] = rate(row.hit for row in group)
    return scores


def _submit(id: str, answer: str) -> dict[str, Any]:
    """A row of the predictions file, tidied: the server compares to the letter."""
    return {"questionId": id, "prediction": _tidy(answer)}


def _tidy(answer: str) -> str:
    return answer.strip().rstrip(".").lower()


TASK = Task(
    name=NAME,
    title="GQA: compositional questions about pictures",
    hit="the answer is the true one, without regard to case and a period at its end",
    card=TaskCard(
        kind="image VQA",
        size="12,578 (test-dev, balanced)",
        license="see its site; copies on the hub say MIT or CC BY 4.0",
        source="https://cs.stanford.edu/people/dorarad/gqa/download.html",
        hub="lmms-lab/GQA",
    ),
    files={
        "questions": TaskFile(
            f"{_OFFICIAL}, or LLaVA's llava_gqa_testdev_balanced.jsonl; to hand answers in, "
            "submission_all_questions.json"
        ),
        "annotations": TaskFile(f"{_OFFICIAL}, where the questions are LLaVA's", needed=False),
    },
    headlines=HEADLINES,
    options=short_answers.OPTIONS,
    load=load,
    score=score,
    summarize=summarize,
    submission=Submission(_submit, "https://cs.stanford.edu/people/dorarad/gqa/challenge.html"),
)


def _read_truths(path: Path, dropped: Counter[str]) -> dict[str, _Question]:
    """The balanced questions of the official file by their ids; its scores are of these alone.

    All of a test split, none of which has an answer: what is handed in has all of them.
    """
    raw = decode_json(path, dict[str, msgspec.Raw], f"a GQA questions file ({_OFFICIAL})")
    decoder = msgspec.json.Decoder(_Question)
    items: dict[str, _Question] = {}
    for number, data in raw.items():
        try:
            items[number] = decoder.decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            raise InputError(f"{path}: question {number!r}: {error}") from None
    if all(item.answer is UNSET for item in items.values()):
        return items
    for number, item in items.items():
        lacks = "answer" if item.answer is UNSET else "types" if item.types is UNSET else ""
        if lacks:
            raise InputError(f"{path}: question {number!r}: has no {lacks}, as others have")
    truths = {number: item for number, item in items.items() if item.isBalanced}
    dropped["questions that are not balanced"] += len(items) - len(truths)
    return truths


def _official_questions(path: Path, truths: Mapping[str, _Question]) -> dict[str, _ImageQuestion]:
    asked = {}
    for number, item in truths.items():
        where = f"{path}: question {number!r}"
        asked[number] = _ImageQuestion(
            where, safe_name(f"{item.imageId}.jpg", where), item.question
        )
    return asked


def _llava_questions(
    path: Path, truths: Mapping[str, _Question] | None, official: Path
) -> dict[str, _ImageQuestion]:
    """Those of LLaVA's JSON lines, without the sentence that asks for a short answer."""
    decoder = msgspec.json.Decoder(_Line)
    asked: dict[str, _ImageQuestion] = {}
    for line, text in enumerate(text_lines(path), 1):
        where = f"{path}: line {line}"
        if not text.strip():
            continue
        try:
            item = decoder.decode(text)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise InputError(
                f"{where}: not a question in LLaVA's form ({error}); the official file is read "
                "without --annotations"
            ) from None
        if item.question_id in asked:
            raise InputError(f"{where}: repeats the id {item.question_id!r}; ids are unique")
        if truths is not None and item.question_id not in truths:
            raise InputError(
                f"{where}: {item.question_id!r} is no balanced question of {official}; give the "
                "file of this split"
            )
        question = item.text.removesuffix(short_answers.SHORT)
        asked[item.question_id] = _ImageQuestion(where, safe_name(item.image, where), question)
    return asked


def _question(
    number: str, asked: _ImageQuestion, truth: _Question, image: str, options: Mapping[str, Any]
) -> Question:
    answer = "" if truth.answer is UNSET else truth.answer
    return Question(
        id=number,
        image=image,
        size=None,
        instruction=short_answers.make_instruction(NAME, asked.text, answer, options, asked.where),
        expected=answer,
        meta={} if truth.types is UNSET else _groups(truth.types),
    )


def _groups(types: _Types) -> dict[str, str]:
    return {
        "answer": "open" if types.structural == "query" else "binary",
        "structural type": types.structural.replace("/", "-"),
        "semantic type": _ABOUT.get(types.semantic, types.semantic).replace("/", "-"),
    }
