"""COCO-Spatial (arXiv 2404.07449): on which side of one object is another?

Objects are the non-crowd ones whose category has a single instance in the picture and whose center
lies clearly on a side: below 0.4 or above 0.6 of the width (left-right) or height (above-below).
A picture is used if at least `min_objects` (the paper: 3) remain and both sides are occupied; then
every ordered pair (a, b) of objects on opposite sides is a direct question: where is b, seen
from a? The in-context form shows two solved questions first.

The paper's printed example answers name the side of the *first* object of the question. Ours name
the side of the object that is asked for, in the examples as in the direct form and in training, so
one rule tells what is right everywhere: the side of b.

The right word of an in-context question is always the word of the last example (the paper's form
has it so): copying scores 100 % there and an accuracy is to be read beside the direct one.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
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
    make_mark,
)
from locvlm.instructions.base import Instruction

NAME = "coco-spatial"

_NEAR, _FAR = 0.4, 0.6  # of the width or height; between them is no clear side
_NEXT_QUESTION = re.compile(r"\bQ:")


@dataclass(frozen=True, slots=True)
class _Axis:
    name: str
    words: tuple[str, str]  # for the low and the high coordinate
    question: str
    answer: str


AXES = (
    _Axis(
        "left-right",
        ("left", "right"),
        "Which side of {a} is {b} located?",
        "The {b} is located to the {side} of {a}.",
    ),
    _Axis(
        "above-below",
        ("above", "below"),
        "Is {b} above or below {a}?",
        "The {b} is located {side} {a}.",
    ),
)
FORMS = ("direct", "in-context")
RULES = ("accuracy", "strict accuracy")


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """Direct and in-context questions on both axes. Raises InputError for `min_objects` < 2."""
    least = options["min_objects"]
    if not isinstance(least, int) or least < 2:
        raise InputError(f"min_objects must be a whole number of at least 2, not {least}")
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    for image in annotations.images:
        rng = random.Random(f"{seed}/{image.id}")
        for axis in AXES:
            sides = _sides(image, axis)
            if len(sides[0]) + len(sides[1]) < least:
                skipped[f"{axis.name}: fewer than {least} clear-sided single objects"] += 1
            elif not (sides[0] and sides[1]):
                skipped[f"{axis.name}: all on one side"] += 1
            else:
                questions.extend(_image_questions(image, axis, sides, rng))
    return question_set(annotations, questions, skipped)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """Paper's rule: the right word is in the answer. Strict: and the other one is not.

    Only what stands before a further "Q:" is read: models like to go on with the dialogue.
    """
    response = _NEXT_QUESTION.split(answer, maxsplit=1)[0].lower()
    words = next(axis.words for axis in AXES if axis.name == question.meta["axis"])
    right, wrong = sorted(words, key=lambda word: word != question.expected)
    named = _has_word(right, response)
    strict = named and not _has_word(wrong, response)
    return Outcome(strict, {"accuracy": named, "strict accuracy": strict})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both scores per axis and form, over all questions and per right word."""
    scores = {}
    for axis in AXES:
        for form in FORMS:
            group = [r for r in rows if (r.meta["axis"], r.meta["form"]) == (axis.name, form)]
            for rule in RULES:
                key = f"{axis.name}/{form}/{rule}"
                scores[key] = rate(bool(r.values[rule]) for r in group)
                for word in axis.words:
                    flags = [bool(r.values[rule]) for r in group if r.expected == word]
                    scores[f"{key} {word}"] = rate(flags)
    return scores


TASK = Task(
    name=NAME,
    title="Spatial reasoning: on which side of one object is another",
    hit="the answer has the right word and not the other (the strict score)",
    card=TaskCard(
        kind="spatial reasoning",
        size="26,716 pairs of COCO train 2017 in the paper",
        license="CC BY 4.0 (COCO annotations)",
        source="https://cocodataset.org/#download",
    ),
    files=detections.FILES,
    headlines=tuple(
        f"{axis.name}/{form}/{rule}" for axis in AXES for form in FORMS for rule in RULES
    ),
    options={"min_objects": 3},  # clear-sided objects that a picture must have
    load=load,
    score=score,
    summarize=summarize,
)


def _sides(image: AnnotatedImage, axis: _Axis) -> tuple[list[Object], list[Object]]:
    """The clear-sided objects: low coordinate (left, above), then high (right, below)."""
    low, high = [], []
    for item in image.single_instances():
        center = item.box.center
        along = center.x / image.width if axis is AXES[0] else center.y / image.height
        if along < _NEAR:
            low.append(item)
        elif along > _FAR:
            high.append(item)
    return low, high


def _image_questions(
    image: AnnotatedImage,
    axis: _Axis,
    sides: tuple[list[Object], list[Object]],
    rng: random.Random,
) -> Iterator[Question]:
    """Each ordered pair as a direct question; in context too where `a` has a companion."""
    for here, there, word in ((*sides, axis.words[1]), (*sides[::-1], axis.words[0])):
        for a in here:
            for b in there:
                yield _question(image, axis, "direct", a, b, word, "")
                companions = [item for item in here if item is not a]
                if companions:
                    examples = _examples(axis, rng.choice(companions), b, word)
                    yield _question(image, axis, "in-context", a, b, word, examples)


def _question(
    image: AnnotatedImage, axis: _Axis, form: str, a: Object, b: Object, word: str, examples: str
) -> Question:
    asked = axis.question.format(a=a.category, b=b.category)
    choices = {w: axis.answer.format(a=a.category, b=b.category, side=w) for w in axis.words}
    return Question(
        id=f"{image.id}/{axis.name}/{form}/{a.category}>{b.category}",
        image=image.file_name,
        size=(image.width, image.height),
        instruction=Instruction(
            NAME, f"{examples}Q: {asked}" if examples else asked, choices[word]
        ),
        expected=word,
        meta={"axis": axis.name, "form": form, "a": a.category, "b": b.category},
        choices=tuple(choices.values()),
        marks=(make_mark(a.category, a.box), make_mark(b.category, b.box)),
    )


def _examples(axis: _Axis, other: Object, b: Object, word: str) -> str:
    """The paper's two: obj_1 is `b`, obj_2 is `other`, a companion of obj_3, the final `a`."""
    opposite = axis.words[axis.words.index(word) - 1]
    text = ""
    for seen_from, asked, side in ((b, other, opposite), (other, b, word)):
        names = {"a": seen_from.category, "b": asked.category}
        text += f"Q: {axis.question.format(**names)} A: {axis.answer.format(**names, side=side)} "
    return text


def _has_word(word: str, response: str) -> bool:
    return re.search(rf"\b{word}\b", response) is not None
