"""Hal-COCO (arXiv 2404.07449): does the model see things that are not there?

Two categories that are in the picture and two of the data set that are not, drawn by seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.drops import Drops
from locvlm.evaluation.metrics import yes_no
from locvlm.evaluation.questions import detections, presence
from locvlm.evaluation.questions.detections import question_set
from locvlm.evaluation.task import Question, QuestionSet, Sources, Task, TaskCard, make_mark

NAME = "hal-coco"


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """Four questions per picture; one without two of each kind gives none, and is counted.

    A category counts as present where any of its objects is, a crowd too. One without a box in the
    whole file is asked about with the option `unboxed` alone: it may never have been looked for.
    """
    questions: list[Question] = []
    skipped = Drops()
    sought = annotations.sought(unboxed=options.get("unboxed", False))
    for image in annotations.images:
        there = {item.category for item in image.objects}
        present = [name for name in annotations.categories if name in there]
        absent = image.absent_of(sought)
        for name, expected in presence.draw_objects(present, absent, f"{seed}/{image.id}", skipped):
            questions.append(
                presence.make_question(
                    NAME,
                    image.id,
                    image.file_name,
                    name,
                    expected,
                    size=(image.width, image.height),
                    marks=tuple(
                        make_mark(name, o.box) for o in image.objects if o.category == name
                    ),
                )
            )
    return question_set(annotations, questions, skipped)


TASK = Task(
    name=NAME,
    title="Object hallucination: is it in the picture",
    hit=yes_no.HIT,
    card=TaskCard(
        kind="object hallucination",
        size="four per picture",
        license="CC BY 4.0 (COCO annotations)",
        source="https://cocodataset.org/#download",
    ),
    files=detections.FILES,
    headlines=yes_no.HEADLINES,
    options={"unboxed": False},  # True: all of the file's categories were looked for
    load=load,
    score=yes_no.score,
    summarize=yes_no.summarize,
)
