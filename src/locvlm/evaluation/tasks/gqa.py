"""GQA (arXiv 1902.09506): questions made of scene graphs, each with one short answer.

The official `eval.py` also gives validity, plausibility, consistency, grounding and the match of
distributions. Those need further files (choices, scene graphs, answers to all unbalanced questions)
and are not given here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

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
    Task,
    TaskCard,
    TaskFile,
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
    answer: str
    imageId: str
    types: _Types
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
    """The balanced questions of the pictures that are there.

    Raises:
        InputError: a file is malformed; LLaVA's has an id twice, or one that the official file has
            not; a file name leads out of its folder; none of the pictures is there; the option
            `prompt` is unknown.
    """
    path, official = sources["questions"], sources.get("annotations")
    if official is None and path.suffix == ".jsonl":
        raise InputError(f"{path}: has no answers; give --annotations {_OFFICIAL} too")
    skipped, dropped = Drops(), Counter[str]()
    truths = _read_truths(official or path, dropped)
    asked = (
        _official_questions(path, truths)
        if official is None
        else _llava_questions(path, truths, official)
    )
    dropped["balanced questions that are not asked"] += len(truths) - len(asked)
    names = {item.image: (item.image, f"images/{item.image}") for item in asked.values()}
    found = find_images(names, sources.images, path, skipped)
    questions = tuple(
        _question(number, item, truths[number], found[item.image], options)
        for number, item in asked.items()
        if item.image in found
    )
    return QuestionSet(questions, skipped, path.name, dropped=+dropped)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The answer is the true one. Strict, as the official `eval.py` has it: to the letter.

    Else as LLaVA's `convert_gqa_for_eval.py` writes answers down before: lower case, no periods at
    the end; space around them is taken off already when they are first written.
    """
    plain = answer.strip().rstrip(".").lower()
    hit = plain == question.expected
    return Outcome(hit, {"accuracy": hit, "strict accuracy": answer == question.expected})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both over all; the first for binary and open questions, and by type."""
    scores = {rule: rate(bool(row.values[rule]) for row in rows) for rule in HEADLINES}
    for kind in ("answer", "structural type", "semantic type"):
        for name, group in sorted(group_by_meta(rows, kind).items()):
            scores[f"{kind}/{name}"] = rate(row.hit for row in group)
    return scores


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
        "questions": TaskFile(f"{_OFFICIAL}, or LLaVA's llava_gqa_testdev_balanced.jsonl"),
        "annotations": TaskFile(f"{_OFFICIAL}, where the questions are LLaVA's", needed=False),
    },
    headlines=HEADLINES,
    options=short_answers.OPTIONS,
    load=load,
    score=score,
    summarize=summarize,
)


def _read_truths(path: Path, dropped: Counter[str]) -> dict[str, _Question]:
    """The balanced questions of the official file by their ids; its scores are of these alone."""
    raw = decode_json(path, dict[str, msgspec.Raw], f"a GQA questions file ({_OFFICIAL})")
    decoder = msgspec.json.Decoder(_Question)
    truths = {}
    for number, data in raw.items():
        try:
            item = decoder.decode(data)
        except (msgspec.DecodeError, ValueError) as error:
            raise InputError(f"{path}: question {number!r}: {error}") from None
        if item.isBalanced:
            truths[number] = item
        else:
            dropped["questions that are not balanced"] += 1
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
    path: Path, truths: Mapping[str, _Question], official: Path
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
        if item.question_id not in truths:
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
    types = truth.types
    return Question(
        id=number,
        image=image,
        size=None,
        instruction=short_answers.make_instruction(
            NAME, asked.text, truth.answer, options, asked.where
        ),
        expected=truth.answer,
        meta={
            "answer": "open" if types.structural == "query" else "binary",
            "structural type": types.structural.replace("/", "-"),
            "semantic type": _ABOUT.get(types.semantic, types.semantic).replace("/", "-"),
        },
    )
