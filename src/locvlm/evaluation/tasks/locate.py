"""Locate (the LocPred objective of arXiv 2404.07449, held out): where is the dog?

An object that is the only one of its category is asked about as in training. Where there are
several, "the dog" means any of them: the best of their IoUs counts, and these questions have scores
of their own (``several/…``), so that those of the single ones stay what they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score
from locvlm.evaluation.left_out import LeftOutCounter
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

SEVERAL = "several"  # the option, the group of scores, and the key of `meta`
ANY, SKIP = "any", "skip"
_OF_SEVERAL = "their picture holds several of the kind (--several any asks for any of them)"
_OPEN = "their kind has a group there, or not all of it is annotated"


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """One per category of each picture, if all its instances have boxes and none is a crowd.

    Where there are several, any of them is right; with the option `several` "skip" they are left
    out. What is left out is counted in objects. Raises InputError for another value of the option.
    """
    several = {**TASK.options, **options}[SEVERAL]
    if several not in (ANY, SKIP):
        raise InputError(f"option {SEVERAL}: {several!r} is unknown; give one of {ANY}, {SKIP}")
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    left_out = LeftOutCounter()
    none = "no object to ask for" if several == ANY else "no category with a single instance"
    for image in annotations.images:
        groups = image.instances()
        asked = [items for items in groups.values() if several == ANY or len(items) == 1]
        questions += [_question(image, items) for items in asked]
        skipped[none] += not asked
        countable = sum(map(len, groups.values()))
        unasked = countable - sum(map(len, asked))
        left_out.add(image, {_OF_SEVERAL: unasked, _OPEN: len(image.objects) - countable})
    return question_set(annotations, questions, skipped, left_out.found())


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Mean IoU, accuracy at IoU 0.5, with a box, "not there" and neither: over single objects.

    Then by their size, and all of these again of the questions about several, where there are any.
    """
    single = [row for row in rows if SEVERAL not in row.meta]
    scores = first_box.summarize(single, seed=seed)
    for size in SIZES:
        group = first_box.summarize([row for row in single if row.meta["size"] == size], seed=seed)
        for name in ("mean IoU", "accuracy at IoU 0.5"):
            scores[f"{size}/{name}"] = group[name]
    if several := [row for row in rows if SEVERAL in row.meta]:
        found = first_box.summarize(several, seed=seed)
        scores |= {f"{SEVERAL}/{name}": score for name, score in found.items()}
    return scores


TASK = Task(
    name=NAME,
    title="Localization: where is the object",
    hit=first_box.HIT,
    card=TaskCard(
        kind="localization",
        size="one per category of a picture",
        license="that of the annotations",
        source="any detection data set",
    ),
    files=detections.FILES,
    headlines=first_box.HEADLINES,
    load=load,
    ask_about=make_questions,
    score=first_box.score,
    summarize=summarize,
    options={SEVERAL: ANY},  # skip: ask about single objects alone
    earlier={SEVERAL: SKIP},
    category_scores=(
        *("mean IoU", "accuracy at IoU 0.5", "not there rate"),
        *(f"{SEVERAL}/mean IoU", f"{SEVERAL}/accuracy at IoU 0.5"),
    ),
)


def size_class(box: Box, image: AnnotatedImage) -> str:
    """small, medium or large, by the box's share of the picture's area."""
    share = box.area / (image.width * image.height)
    return SIZES[(share >= _MEDIUM) + (share >= _LARGE)]


def _question(image: AnnotatedImage, items: Sequence[Object]) -> Question:
    """About the only one of its category, or any of several; the ideal answer is the largest."""
    largest = max(items, key=lambda item: item.box.area)
    name, texts = largest.category, tuple(format_box(item.box) for item in items)
    several = len(items) > 1
    return Question(
        id=f"{image.id}/{name}",
        image=image.file_name,
        size=(image.width, image.height),
        instruction=Instruction(
            NAME, PROMPT.replace("{category}", name), locpred.ANSWER, (largest.box,)
        ),
        expected=" or ".join(texts),
        meta={
            "category": name,
            "size": size_class(largest.box, image),
            **({SEVERAL: str(len(items))} if several else {}),
        },
        marks=tuple(make_mark(name, item.box) for item in items),
        accepted=texts if several else (),
    )
