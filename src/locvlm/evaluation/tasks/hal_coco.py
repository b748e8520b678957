"""Hal-COCO (arXiv 2404.07449): does the model see things that are not there?

Two categories that are in the picture and two of the data set that are not, drawn by seed.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.evaluation import detections
from locvlm.evaluation.detections import question_set
from locvlm.evaluation.metrics import Score, rate
from locvlm.evaluation.questions import Card, Outcome, Question, QuestionSet, Reading, Scored, mark
from locvlm.evaluation.sources import Sources
from locvlm.instructions.base import Instruction

NAME = "hal-coco"
TITLE = "Object hallucination: is it in the picture"
HIT = 'a no where the object is absent, no "no" where it is present'
CARD = Card(
    kind="object hallucination",
    size="four per picture",
    license="CC BY 4.0 (COCO annotations)",
    source="https://cocodataset.org/#download",
)
FILES = detections.FILES
OPTIONS: Mapping[str, Any] = {}
HEADLINES = ("accuracy", "accuracy present", "accuracy absent")

PROMPT = "Is there {obj} in this image?"
_EACH = 2  # present ones, and absent ones, per picture
_NO = re.compile(r"\b(?:no|nope|none|not|cannot)\b|n['’]t\b", re.IGNORECASE)


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return questions(detections.read(sources), seed=seed, options=options)


def questions(annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Four questions per picture; one without two of each kind gives none, and is counted.

    A category counts as present where any of its objects is, a crowd too.
    """
    kept: list[Question] = []
    skipped: Counter[str] = Counter()
    for image in annotations.images:
        there = {item.category for item in image.objects}
        present = [name for name in annotations.categories if name in there]
        absent = image.absent_of(annotations.categories)
        if len(present) < _EACH:
            skipped[f"fewer than {_EACH} categories present"] += 1
        elif len(absent) < _EACH:
            skipped[f"fewer than {_EACH} categories absent"] += 1
        else:
            rng = random.Random(f"{seed}/{image.id}")
            kept += [_question(image, name, "yes") for name in rng.sample(present, _EACH)]
            kept += [_question(image, name, "no") for name in rng.sample(absent, _EACH)]
    return question_set(annotations, kept, skipped)


def score(question: Question, answer: str, reading: Reading) -> Outcome:
    """An answer with "no", "nope", "none", "not", "cannot" or "…n't" is a no; others are a yes."""
    yes = _NO.search(answer) is None
    hit = yes == (question.expected == "yes")
    return Outcome(hit, {"yes": yes})


def summarize(rows: Sequence[Scored], *, seed: int) -> dict[str, Score]:
    """Accuracy; precision and recall of "yes"; how often "yes" is said (half would be right)."""
    present = [row for row in rows if row.expected == "yes"]
    absent = [row for row in rows if row.expected == "no"]
    said_yes = [row for row in rows if row.values["yes"]]
    return {
        "accuracy": rate(row.hit for row in rows),
        "accuracy present": rate(row.hit for row in present),
        "accuracy absent": rate(row.hit for row in absent),
        "precision": rate(row.hit for row in said_yes),
        "recall": rate(row.hit for row in present),
        "yes-rate": rate(bool(row.values["yes"]) for row in rows),
    }


def _question(image: AnnotatedImage, category: str, expected: str) -> Question:
    return Question(
        id=f"{image.id}/{category}",
        image=image.file_name,
        size=(image.width, image.height),
        instruction=Instruction(NAME, PROMPT.format(obj=category), expected.capitalize()),
        expected=expected,
        meta={"category": category},
        choices=("Yes", "No"),
        marks=tuple(mark(category, o.box) for o in image.objects if o.category == category),
    )
