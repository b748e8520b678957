"""Describe (the RevLoc objective of arXiv 2404.07449, held out): what is in this box?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.left_out import LeftOutCounter
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
from locvlm.instructions.objectives import revloc

NAME = "describe"

PROMPT = revloc.PROMPTS[0]  # training draws from all; evaluation always asks the same
_TOP = 15  # categories with a line of their own


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """One per non-crowd object."""
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    left_out = LeftOutCounter()
    for image in annotations.images:
        items = [(i, item) for i, item in enumerate(image.objects) if not item.crowd]
        left_out.add(image, {"their box holds a group": len(image.objects) - len(items)})
        questions += [_question(image, i, item) for i, item in items]
        skipped["no object"] += not items
    return question_set(annotations, questions, skipped, left_out.found())


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """The category or a synonym is named. Strict: and no other category of the data set is."""
    others = context.synonyms
    said = mentions(answer, (*context.categories, *others) if others else context.categories)
    named = {others.get(name, name) for name in said}
    right = question.expected in named
    strict = named == {question.expected}
    return Outcome(strict, {"accuracy": right, "strict accuracy": strict})


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both scores, and the strict one for each of the most frequent categories."""
    scores = {
        rule: rate(bool(row.values[rule]) for row in rows)
        for rule in ("accuracy", "strict accuracy")
    }
    count = Counter(row.expected for row in rows)
    for category, _ in sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP]:
        flags = [row.hit for row in rows if row.expected == category]
        scores[f"category/{category}"] = rate(flags)
    return scores


TASK = Task(
    name=NAME,
    title="Region description: what is in the box",
    hit="the answer names the category and no other (the strict score)",
    card=TaskCard(
        kind="region description",
        size="one per object",
        license="that of the annotations",
        source="any detection data set",
    ),
    files=detections.FILES,
    headlines=("accuracy", "strict accuracy"),
    load=load,
    ask_about=make_questions,
    score=score,
    summarize=summarize,
    category_scores=("accuracy", "strict accuracy"),
)


def mentions(text: str, categories: tuple[str, ...]) -> set[str]:
    """The categories named in `text` as whole words; of overlapping names the longest alone.

    >>> mentions("A hot dog on a plate.", ("dog", "hot dog"))
    {'hot dog'}
    """
    pattern, names = _names(categories)
    return {names[_plain(match[0])] for match in pattern.finditer(text)} if names else set()


@lru_cache(maxsize=8)
def _names(categories: tuple[str, ...]) -> tuple[re.Pattern[str], dict[str, str]]:
    longest_first = sorted(categories, key=len, reverse=True)
    words = [r"\s+".join(map(re.escape, name.split())) for name in longest_first]
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)
    return pattern, {_plain(name): name for name in categories}


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _question(image: AnnotatedImage, index: int, item: Object) -> Question:
    return Question(
        id=f"{image.id}/{index}/{item.category}",
        image=image.file_name,
        size=(image.width, image.height),
        instruction=Instruction(
            NAME, PROMPT, revloc.ANSWER.replace("{category}", item.category), (item.box,)
        ),
        expected=item.category,
        meta={"category": item.category},
        marks=(make_mark(item.category, item.box),),
    )
