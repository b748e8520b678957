"""Hal-COCO (arXiv 2404.07449): does the model see things that are not there?

Two categories that are in the picture and two of the data set that are not, drawn by seed; one and
one where most pictures show a single category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.drops import Drops
from locvlm.errors import InputError
from locvlm.evaluation.metrics import yes_no
from locvlm.evaluation.questions import detections, presence
from locvlm.evaluation.questions.detections import question_set
from locvlm.evaluation.task import Question, QuestionSet, Sources, Task, TaskCard, make_mark

NAME = "hal-coco"

_ONE_OF_EACH = (
    "asked about one category that is there and one that is not in each picture, not two and two: "
    "most show a single category"
)


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """Four questions per picture; one without two of each kind gives none, and is counted.

    Where most pictures show a single category (see `presence.choose_each`), or the option `each` is
    1, there are two: one about what is there, one about what is not.

    A category counts as present where any of its objects is, a crowd too. One without a box in the
    whole file is asked about with the option `unboxed` alone: it may never have been looked for.
    """
    questions: list[Question] = []
    skipped = Drops()
    sought = annotations.sought(unboxed=options.get("unboxed", False))
    known = (_present_and_absent(annotations, image, sought) for image in annotations.images)
    given = options.get("each", 0)
    each = given or presence.choose_each(known)
    if not 1 <= each <= presence.EACH:
        raise InputError(f"option each must be 1 or {presence.EACH}, or 0 to choose, not {each}")
    for image in annotations.images:
        present, absent = _present_and_absent(annotations, image, sought)
        key = f"{seed}/{image.id}"
        for name, expected in presence.draw_objects(present, absent, key, skipped, each=each):
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
    asked = question_set(annotations, questions, skipped)
    if each != given and each < presence.EACH and questions:
        return replace(asked, remarks=(*asked.remarks, _ONE_OF_EACH))
    return asked


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
    options={
        "unboxed": False,  # True: all of the file's categories were looked for
        "each": 0,  # present ones, and absent ones, per picture; 0: two where most pictures allow
    },
    load=load,
    ask_about=make_questions,
    score=yes_no.score,
    summarize=yes_no.summarize,
    category_scores=yes_no.HEADLINES,
)


def _present_and_absent(
    annotations: AnnotationSet, image: AnnotatedImage, sought: Sequence[str]
) -> tuple[list[str], list[str]]:
    there = {item.category for item in image.objects}
    present = [name for name in annotations.categories if name in there]
    return present, image.absent_of(sought)
