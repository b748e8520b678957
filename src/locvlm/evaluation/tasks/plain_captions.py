"""Plain captions: does the model still describe a photo in a sound sentence?

Nothing here is about locations, and the words are none of the training's. What is counted is what
a tuning can spoil: coordinates where nobody asked for any, refusals, text that repeats itself,
nothing at all. How good a sound caption is, is not scored; where the data have captions, the share
of words in common with the nearest of them is a hint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from locvlm.annotations.base import AnnotationSet
from locvlm.evaluation.intervals import Score, mean, rate, scaled_mean
from locvlm.evaluation.metrics.plain_text import (
    has_location,
    is_refusal,
    repeats_itself,
    share_words,
)
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

NAME = "plain-captions"
PROMPT = "Say in one sentence what is going on in this photo."
FAULTS = ("empty", "with coordinates", "refusals", "repetitions")
_MOST = 1000.0  # words of an answer, for its mean's interval


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """One per picture in which something is annotated."""
    skipped = Counter({"no object": sum(not image.objects for image in annotations.images)})
    questions = [
        Question(
            id=str(image.id),
            image=image.file_name,
            size=(image.width, image.height),
            instruction=Instruction(NAME, PROMPT, "A photo."),
            expected="a sound sentence",
            accepted=image.captions,
        )
        for image in annotations.images
        if image.objects
    ]
    return question_set(annotations, questions, skipped)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """Sound: there is text, without coordinates, a refusal or a phrase three times in a row."""
    faults = {
        "empty": not answer.strip(),
        "with coordinates": has_location(answer, context),
        "refusals": is_refusal(answer),
        "repetitions": repeats_itself(answer),
    }
    shared = {"words shared": share_words(answer, question.accepted)} if question.accepted else {}
    return Outcome(
        not any(faults.values()), {**faults, "words": float(len(answer.split())), **shared}
    )


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """The share of sound answers and of each fault; words, and those shared with captions."""
    words = scaled_mean((min(row.values["words"], _MOST) for row in rows), _MOST, seed=seed)
    scores = {
        "sound": rate(row.hit for row in rows),
        **{name: rate(bool(row.values[name]) for row in rows) for name in FAULTS},
        "words": replace(words, kind="points"),
    }
    shared = [float(row.values["words shared"]) for row in rows if "words shared" in row.values]
    return {**scores, "words shared": mean(shared, seed=seed)} if shared else scores


TASK = Task(
    name=NAME,
    title="Plain captions: what a tuning to locations can spoil",
    hit="text without coordinates, a refusal or a phrase three times in a row",
    card=TaskCard(
        kind="forgetting",
        size="one per picture",
        license="that of the annotations",
        source="any detection data set",
    ),
    files=dict(detections.FILES),
    headlines=("sound",),
    load=load,
    ask_about=make_questions,
    score=score,
    summarize=summarize,
)
