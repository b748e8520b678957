"""COCO-Spatial (arXiv 2404.07449): on which side of one object is another?

Objects are the non-crowd ones whose category has a single instance in the picture and whose center
lies clearly on a side: below 0.4 or above 0.6 of the width (left-right) or height (above-below).
Both sides must be occupied. The in-context form shows two solved questions before the last.

How pictures become questions is an option, for the paper does not tell it whole:

reading=pairs   Pictures with at least `min_objects` (3) such objects; every ordered pair (a, b) on
                opposite sides is asked about: where is b, seen from a? Of more than `max_pairs`
                (40) of a picture and axis as many are drawn; a larger bound asks about them, too.
reading=three   Pictures with exactly three: obj_1 alone on its side, obj_2 and obj_3 on the other.
                Each of the two pairs is asked about once, in the order of the paper's prompts:
                obj_2 seen from obj_1 directly, obj_1 seen from obj_3 in context.

What is right is an option, too, for the paper's example answers begin with the object that their
question names first, not with the one that it asks for:

examples=ours   The answers of the examples are about b, as in the direct form and in training. The
                right word is the side of b.
examples=paper  They are about a, as printed. The right word of an in-context question is then the
                side of a: what continues the examples, and is true. "accuracy as asked" counts the
                side of b beside it.

Either way the right word of an in-context question is that of the last example: copying scores
100 % there, and an accuracy is to be read beside the direct one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.metrics.side_words import RULES, WORDS, has_word, opposite, score_side
from locvlm.evaluation.questions import detections
from locvlm.evaluation.questions.detections import question_set
from locvlm.evaluation.questions.sided_pairs import (
    Pair,
    all_pairs,
    draw_pairs,
    find_sides,
    pairs_of_three,
)
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
FORMS = ("direct", "in-context")
AS_ASKED = "accuracy as asked"  # in context, where the examples answer otherwise
READINGS = ("pairs", "three")
EXAMPLES = ("ours", "paper")


@dataclass(frozen=True, slots=True)
class _Axis:
    name: str
    question: str
    answer: str

    @property
    def words(self) -> tuple[str, str]:
        return WORDS[self.name]

    def ask(self, b: Object, a: Object) -> str:
        """Where is `b`, seen from `a`?"""
        return self.question.format(a=a.category, b=b.category)

    def tell(self, b: Object, side: str, a: Object) -> str:
        return self.answer.format(a=a.category, b=b.category, side=side)


AXES = (
    _Axis(
        "left-right",
        "Which side of {a} is {b} located?",
        "The {b} is located to the {side} of {a}.",
    ),
    _Axis(
        "above-below",
        "Is {b} above or below {a}?",
        "The {b} is located {side} {a}.",
    ),
)


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """Of the annotations' pictures that are there."""
    return make_questions(detections.read_annotations(sources), seed=seed, options=options)


def make_questions(
    annotations: AnnotationSet, *, seed: int, options: Mapping[str, Any]
) -> QuestionSet:
    """Direct and in-context questions on both axes.

    Raises InputError for an option that has no such value.
    """
    options = {**TASK.options, **options}
    _check_options(options)
    least, three = options["min_objects"], options["reading"] == "three"
    most = options["max_pairs"]
    wrong_count = "not exactly 3" if three else f"fewer than {least}"
    questions: list[Question] = []
    skipped: Counter[str] = Counter()
    for image in annotations.images:
        rng = random.Random(f"{seed}/{image.id}")
        for axis in AXES:
            sides = find_sides(image, axis.name)
            count = len(sides[0]) + len(sides[1])
            if count < least or (three and count > 3):
                skipped[f"{axis.name}: {wrong_count} clear-sided single objects"] += 1
            elif not (sides[0] and sides[1]):
                skipped[f"{axis.name}: all on one side"] += 1
            else:
                pairs = pairs_of_three if three else all_pairs
                wording = _Wording(image, axis, as_printed=options["examples"] == "paper")
                drawn = [
                    (pair, rng.choice(pair.companions) if pair.companions else None)
                    for pair in pairs(axis.name, sides)
                ]
                kept = draw_pairs([pair for pair, _ in drawn], most, f"{seed}/{image.id}")
                if len(kept) < len(drawn):
                    skipped[f"{axis.name}: more than max_pairs={most}, the others"] += 1
                questions.extend(wording.question(*drawn[place]) for place in kept)
    return question_set(annotations, questions, skipped)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """Paper's rule: the right word is in the answer. Strict: and the other one is not."""
    values = score_side(question.expected, answer)
    hit = bool(values["strict accuracy"])
    if asked := question.meta.get("asked"):
        values[AS_ASKED] = has_word(asked, answer)
    return Outcome(hit, values)


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Both scores per axis and form, over all questions and per right word.

    With examples=paper also how many in-context answers have the word that was asked for.
    """
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
            if asked := [bool(r.values[AS_ASKED]) for r in group if AS_ASKED in r.values]:
                scores[f"{axis.name}/{form}/{AS_ASKED}"] = rate(asked)
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
    options={
        "min_objects": 3,  # clear-sided objects that a picture must have
        "reading": "pairs",
        "examples": "ours",
        "max_pairs": 40,  # ordered pairs of objects of a picture and axis that are asked about
    },
    load=load,
    ask_about=make_questions,
    score=score,
    summarize=summarize,
)


def _check_options(options: Mapping[str, Any]) -> None:
    least = options["min_objects"]
    if not isinstance(least, int) or least < 2:
        raise InputError(f"min_objects must be a whole number of at least 2, not {least}")
    most = options["max_pairs"]
    if not isinstance(most, int) or most < 1:
        raise InputError(f"max_pairs must be a whole number of at least 1, not {most}")
    for name, known in (("reading", READINGS), ("examples", EXAMPLES)):
        if options[name] not in known:
            raise InputError(
                f"option {name}: {options[name]!r} is unknown; give one of {', '.join(known)}"
            )
    if options["reading"] == "three" and least != 3:
        raise InputError(
            f"reading=three takes pictures with exactly 3 objects; leave min_objects={least} out"
        )


@dataclass(frozen=True, slots=True)
class _Wording:
    """How the pairs of a picture are put into words."""

    image: AnnotatedImage
    axis: _Axis
    as_printed: bool  # the answers of examples are about `a`

    def question(self, pair: Pair, companion: Object | None) -> Question:
        axis, a, b = self.axis, pair.a, pair.b
        turned = self.as_printed and pair.form == "in-context"
        word = opposite(pair.word) if turned else pair.word
        told, from_where = (a, b) if turned else (b, a)
        choices = {side: axis.tell(told, side, from_where) for side in axis.words}
        prompt = axis.ask(b, a)
        if companion is not None:
            prompt = f"{self._examples(pair, companion)}Q: {prompt}"
        return Question(
            id=f"{self.image.id}/{axis.name}/{pair.form}/{a.category}>{b.category}",
            image=self.image.file_name,
            size=(self.image.width, self.image.height),
            instruction=Instruction(NAME, prompt, choices[word]),
            expected=word,
            meta={
                "axis": axis.name,
                "form": pair.form,
                "a": a.category,
                "b": b.category,
                **({"asked": pair.word} if turned else {}),
            },
            choices=tuple(choices.values()),
            marks=(make_mark(a.category, a.box), make_mark(b.category, b.box)),
        )

    def _examples(self, pair: Pair, other: Object) -> str:
        """The paper's two: obj_1 is b, obj_2 is `other`, a companion of obj_3, the final a."""
        axis, text = self.axis, ""
        for b, side, a in (
            (other, opposite(pair.word), pair.b),
            (pair.b, pair.word, other),
        ):
            told = axis.tell(a, opposite(side), b) if self.as_printed else axis.tell(b, side, a)
            text += f"Q: {axis.ask(b, a)} A: {told} "
        return text
