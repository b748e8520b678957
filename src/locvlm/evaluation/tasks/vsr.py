"""Visual Spatial Reasoning (arXiv 2205.00363): is this statement about the picture true?

The prompt is that of InstructBLIP (arXiv 2305.06500). The families of relations are those of
``rel_meta_category_dict.txt`` in https://github.com/cambridgeltl/visual-spatial-reasoning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from locvlm.annotations.drops import Drops
from locvlm.evaluation.intervals import Score, rate
from locvlm.evaluation.questions.coco_photos import file_names
from locvlm.evaluation.questions.texts import clean_text
from locvlm.evaluation.task import (
    AnswerContext,
    Outcome,
    Question,
    QuestionSet,
    ScoredAnswer,
    Sources,
    Task,
    TaskCard,
    TaskFile,
    group_by_meta,
)
from locvlm.instructions.base import Instruction
from locvlm.io.json_rows import json_rows
from locvlm.media.image_files import find_images, safe_name

NAME = "vsr"

PROMPT = "Based on the image, is this statement true or false? {caption}"

# "among" is in two families of the official list, of which its script keeps the last.
FAMILIES = {
    "adjacency": (
        *("adjacent to", "alongside", "at the side of", "at the right side of"),
        *("at the left side of", "attached to", "at the back of", "ahead of", "against"),
        "at the edge of",
    ),
    "directional": (
        *("off", "past", "toward", "down", "deep down", "up", "away from", "along", "around"),
        *("from", "into", "to", "across", "across from", "through", "down from"),
    ),
    "orientation": ("facing", "facing away from", "parallel to", "perpendicular to"),
    "projective": (
        *("on top of", "beneath", "beside", "behind", "left of", "right of", "under"),
        *("in front of", "below", "above", "over", "in the middle of"),
    ),
    "proximity": ("by", "close to", "near", "far from", "far away from"),
    "topological": (
        *("connected to", "detached from", "has as a part", "part of", "contains", "within", "at"),
        *("on", "in", "with", "surrounding", "consists of", "out of", "between", "inside"),
        *("outside", "touching"),
    ),
    "unallocated": ("beyond", "next to", "opposite to", "after", "among", "enclosed by"),
}
_FAMILY = {relation: family for family, relations in FAMILIES.items() for relation in relations}

_TRUE = re.compile(r"\b(?:true|yes)\b", re.IGNORECASE)
_FALSE = re.compile(r"\b(?:false|no|not)\b|n['’]t\b", re.IGNORECASE)
_FIRST_WORD = re.compile(r"\W*(?:(true|yes)|(false|no))\b", re.IGNORECASE)


class _Row(msgspec.Struct):
    """A statement as VSR writes it."""

    image: str
    caption: str
    label: Literal[0, 1]
    relation: str


def load(sources: Sources, *, seed: int, options: Mapping[str, Any]) -> QuestionSet:
    """One question per row, whose id is its position in the file, from 0.

    Raises:
        InputError: there is no such file, or a row is malformed.
    """
    path = sources["questions"]
    rows = list(json_rows(path, _Row, "VSR's statements"))
    names = {row.image: file_names(safe_name(row.image, place)) for place, row in rows}
    skipped = Drops()
    found = find_images(names, sources.images, path, skipped)
    questions = [
        _question(number, row, place, found[row.image])
        for number, (place, row) in enumerate(rows)
        if row.image in found
    ]
    return QuestionSet(tuple(questions), skipped, source=path.name)


def score(question: Question, answer: str, context: AnswerContext) -> Outcome:
    """What the first sentence says, and strictly what the first word does; neither is wrong."""
    response, first = read_answer(answer), read_first_word(answer)
    return Outcome(
        response == question.expected,
        {
            "accuracy": response == question.expected,
            "strict accuracy": first == question.expected,
            "true": response == "true",
            "neither": not response,
            "strict neither": not first,
        },
    )


def summarize(rows: Sequence[ScoredAnswer], *, seed: int) -> dict[str, Score]:
    """Over all, per label, per family of relations, and per relation, the most frequent first."""
    scores = {
        "accuracy": _rate(rows, "accuracy"),
        "strict accuracy": _rate(rows, "strict accuracy"),
        "true-rate": _rate(rows, "true"),
        "neither": _rate(rows, "neither"),
        "strict neither": _rate(rows, "strict neither"),
    }
    for label in ("true", "false"):
        scores[f"accuracy {label}"] = rate(row.hit for row in rows if row.expected == label)
    for kind in ("family", "relation"):
        groups = group_by_meta(rows, kind)
        for name, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
            scores[f"{kind}/{name}/accuracy"] = _rate(group, "accuracy")
            scores[f"{kind}/{name}/strict accuracy"] = _rate(group, "strict accuracy")
    return scores


TASK = Task(
    name=NAME,
    title="Visual spatial reasoning: is the statement true",
    hit="the first sentence of the answer agrees with the label",
    card=TaskCard(
        kind="spatial reasoning",
        size="2,195 (random split), 1,222 (zero-shot split)",
        license="Apache 2.0; the copy on the hub says CC BY 4.0",
        source="https://github.com/cambridgeltl/visual-spatial-reasoning "
        "(data/splits/*/test.jsonl)",
        hub="cambridgeltl/vsr_random",
    ),
    files={
        "questions": TaskFile("test.jsonl of the random or the zero-shot split", hub="test.jsonl")
    },
    headlines=("accuracy", "strict accuracy", "true-rate"),
    load=load,
    score=score,
    summarize=summarize,
)


def read_answer(answer: str) -> str:
    """What the first sentence says: "true", "false", or "" where it has no word for either.

    One word for false ("false", "no", "not", "…n't") outweighs "true" and "yes".

    >>> read_answer("That is not true."), read_answer("Yes, it is"), read_answer("The cat.")
    ('false', 'true', '')
    """
    sentence = answer.lstrip().split(".", 1)[0]
    if _FALSE.search(sentence):
        return "false"
    return "true" if _TRUE.search(sentence) else ""


def read_first_word(answer: str) -> str:
    """The same of the first word alone: true or yes, false or no."""
    match = _FIRST_WORD.match(answer)
    if match is None:
        return ""
    return "true" if match[1] else "false"


def _question(number: int, row: _Row, place: str, image: str) -> Question:
    expected = "true" if row.label else "false"
    return Question(
        id=str(number),
        image=image,
        size=None,
        instruction=Instruction(
            NAME,
            PROMPT.format(caption=clean_text(row.caption, place)),
            expected.capitalize(),
        ),
        expected=expected,
        meta={"relation": row.relation, "family": _FAMILY.get(row.relation, "other")},
        choices=("True", "False"),
    )


def _rate(rows: Sequence[ScoredAnswer], value: str) -> Score:
    return rate(bool(row.values[value]) for row in rows)
