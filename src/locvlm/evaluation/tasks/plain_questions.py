"""Plain questions: does the model still answer what no tuning to locations asks?

About each photo a yes-no question on a category that is there, one on a category that is not, both
in words that no training here uses, and how many there are of one. The rule is strict, unlike that
of hal-coco: an answer that says neither yes nor no, or no number, is wrong.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.metrics.plain_text import has_location
from locvlm.evaluation.questions import detections
from locvlm.evaluation.questions.detections import question_set
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
)
from locvlm.instructions.base import Instruction

NAME = "plain-questions"
YES_NO, HOW_MANY = "yes or no", "how many"
PROMPTS = {
    YES_NO: "Answer yes or no: does {category} appear in this photo?",
    HOW_MANY: "Count them and answer with a number: {category}.",
}
NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
MOST = len(NUMBERS) - 1  # more of them are not counted
_YES = re.compile(r"\b(?:yes|yeah|yep)\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|nope|not|none)\b|n['’]t\b", re.IGNORECASE)
_NUMBER = re.compile(rf"\d+|\b(?:{'|'.join(NUMBERS)})\b", re.IGNORECASE)


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """At most three per picture in which something is annotated."""
    sought = annotations.sought()
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    for image in annotations.images:
        skipped["no object"] += not image.objects
        if image.objects:
            questions += _ask(image, sought, random.Random(f"{seed}/{image.id}"))
    return question_set(annotations, questions, skipped)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The word yes or no, or the number, of the truth alone."""
    if question.meta["type"] == YES_NO:
        yes, no = _YES.search(answer) is not None, _NO.search(answer) is not None
        clear, hit = yes != no, yes != no and yes == (question.expected == "yes")
    else:
        numbers = {_value(text) for text in _NUMBER.findall(answer)}
        clear, hit = len(numbers) == 1, numbers == {int(question.expected)}
    return Outcome(hit, {"clear": clear, "with coordinates": has_location(answer, context)})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Accuracy over all and of each kind; how many answers are clear; how many hold coordinates."""
    return {
        "accuracy": rate(row.hit for row in rows),
        **{
            f"accuracy {kind}": rate(row.hit for row in rows if row.meta["type"] == kind)
            for kind in PROMPTS
        },
        "clear": rate(bool(row.values["clear"]) for row in rows),
        "with coordinates": rate(bool(row.values["with coordinates"]) for row in rows),
    }


TASK = Task(
    name=NAME,
    title="Plain questions: what a tuning to locations can spoil",
    hit="the word yes or no, or the number, that is true, and no other",
    card=TaskCard(
        kind="forgetting",
        size="at most three per picture",
        license="that of the annotations",
        source="any detection data set",
    ),
    files=dict(detections.FILES),
    headlines=("accuracy", f"accuracy {YES_NO}", f"accuracy {HOW_MANY}"),
    load=load,
    ask_about=make_questions,
    score=score,
    summarize=summarize,
)


def _ask(image: AnnotatedImage, sought: Sequence[str], rng: random.Random) -> Iterator[Question]:
    there = sorted({item.category for item in image.objects})  # at least one
    absent = image.absent_of(sought)
    counted = {name: len(items) for name, items in image.instances().items()}
    few = sorted(name for name, count in counted.items() if count <= MOST)
    yield _question(image, YES_NO, rng.choice(there), "yes")
    if absent:
        yield _question(image, YES_NO, rng.choice(absent), "no")
    if few:
        name = rng.choice(few)
        yield _question(image, HOW_MANY, name, str(counted[name]))


def _question(image: AnnotatedImage, kind: str, category: str, expected: str) -> Question:
    return Question(
        id=f"{image.id}/{kind}/{category}",
        image=image.file_name,
        size=(image.width, image.height),
        instruction=Instruction(NAME, PROMPTS[kind].replace("{category}", category), expected),
        expected=expected,
        meta={"category": category, "type": kind},
    )


def _value(number: str) -> int:
    return int(number) if number.isdecimal() else NUMBERS.index(number.lower())
