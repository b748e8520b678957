"""Locate (the LocPred objective of arXiv 2404.07449, held out): where is the dog?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.metrics import first_box
from locvlm.evaluation.questions import detections
from locvlm.evaluation.questions.detections import question_set
from locvlm.evaluation.task import (
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    format_box,
    make_mark,
)
from locvlm.geometry import Box
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import locpred

NAME = "locate"


PROMPT = locpred.PROMPTS[0]  # training draws from all; evaluation always asks the same

SIZES = ("small", "medium", "large")
# COCO's borders, 32² and 96² pixels, as shares of a 640 × 480 picture: pictures of any size agree.
_MEDIUM, _LARGE = 32**2 / (640 * 480), 96**2 / (640 * 480)


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """One per non-crowd object whose category has a single instance in its picture."""
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    for image in annotations.images:
        singles = image.single_instances()
        questions += [_question(image, item) for item in singles]
        skipped["no category with a single instance"] += not singles
    return question_set(annotations, questions, skipped)


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Mean IoU, accuracy at IoU 0.5 and parse rate over all, then by the object's size."""
    scores = first_box.summarize(rows, seed=seed)
    for size in SIZES:
        group = first_box.summarize([row for row in rows if row.meta["size"] == size], seed=seed)
        for name in ("mean IoU", "accuracy at IoU 0.5"):
            scores[f"{size}/{name}"] = group[name]
    return scores


TASK = Task(
    name=NAME,
    title="Localization: where is the object",
    hit=first_box.HIT,
    card=TaskCard(
        kind="localization",
        size="one per single object",
        license="that of the annotations",
        source="any detection data set",
    ),
    files=detections.FILES,
    headlines=first_box.HEADLINES,
    load=load,
    ask_about=make_questions,
    score=first_box.score,
    summarize=summarize,
)


def size_class(box: Box, image: AnnotatedImage) -> str:
    """small, medium or large, by the box's share of the picture's area."""
    share = box.area / (image.width * image.height)
    return SIZES[(share >= _MEDIUM) + (share >= _LARGE)]


def _question(image: AnnotatedImage, item: Object) -> Question:
    return Question(
        id=f"{image.id}/{item.category}",
        image=image.file_name,
        size=(image.width, image.height),
        instruction=Instruction(
            NAME, PROMPT.replace("{category}", item.category), locpred.ANSWER, (item.box,)
        ),
        expected=format_box(item.box),
        meta={"category": item.category, "size": size_class(item.box, image)},
        marks=(make_mark(item.category, item.box),),
    )
