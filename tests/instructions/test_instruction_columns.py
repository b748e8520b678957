"""Instructions as columns and one by one are the same."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages
from locvlm.instructions import objectives
from locvlm.instructions.arrow import encode_batch, encode_conversations
from locvlm.instructions.build import (
    QuestionOptions,
    QuestionPlan,
    ask_about_batch,
    build,
    make_plan,
)
from locvlm.instructions.filters import ObjectLimits
from locvlm.instructions.instruction_columns import InstructionColumns, TextColumn
from locvlm.instructions.objectives import LocationChoice, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from tests.instructions.objectives.test_image_batch import CATEGORIES, pictures

PAPER = ["locpred", "negpred", "revloc"]
kinds = st.sampled_from(["box", "point", "both"])


class Chance(random.Random):
    """Gives one key."""

    def __init__(self, key: int):
        self.key = key

    def getrandbits(self, k: int, /) -> int:
        return self.key


def plan(images: list[AnnotatedImage], settings: QuestionOptions) -> QuestionPlan:
    return make_plan(AnnotationSet(images, CATEGORIES, Path("a.json")), settings)


@pytest.mark.parametrize("name", PAPER)
@given(pictures, kinds)
def test_many_pictures_are_asked_as_each_alone(
    name: str, images: list[AnnotatedImage], kind: LocationChoice
) -> None:
    objective, context = objectives.get(name), QuestionContext(CATEGORIES, kind)
    assert objective.ask_batch
    keys = np.arange(len(images), dtype=np.uint64)
    asked = objective.ask_batch(ImageBatch(images, CATEGORIES), context, keys)
    alone = [
        (row, item)
        for row, image in enumerate(images)
        for item in objective.ask(image, context, Chance(row))
    ]
    assert list(zip(asked.image_index.tolist(), asked.to_list(), strict=True)) == alone
    assert asked.categories.to_list() == [item.category for _, item in alone]


@given(pictures, kinds, st.permutations(objectives.names()))
def test_the_rows_are_those_of_the_conversations(
    images: list[AnnotatedImage], kind: LocationChoice, names: list[str]
) -> None:
    settings = QuestionOptions(tuple(names), kind)
    made = ask_about_batch(plan(images, settings), images)
    rows = encode_batch(made, "a.json")
    rows.validate(full=True)
    assert rows.equals(encode_conversations(made.conversations("a.json")))
    assert made.counts.total() == sum(len(c.instructions) for c in made.conversations(""))


@given(pictures, st.integers(1, 2))
def test_columns_of_pictures_are_asked_as_a_list(images: list[AnnotatedImage], most: int) -> None:
    columns = ColumnarImages.of(images, CATEGORIES)
    for options in ({}, {"limits": ObjectLimits(min_area=0.05)}, {"per_category": most}):
        plain, other = (
            build(AnnotationSet(some, CATEGORIES, Path("a.json")), QuestionOptions(**options))
            for some in (images, columns)
        )
        assert plain == other


def test_nothing_is_asked() -> None:
    made = ask_about_batch(plan([], QuestionOptions()), [])
    assert encode_batch(made, "").num_rows == 0
    assert made.counts == {"locpred": 0, "negpred": 0, "revloc": 0}


def test_each_text_is_filled_once() -> None:
    calls = []

    def fill(a: str, b: str) -> str:
        calls.append((a, b))
        return a + b

    texts = TextColumn(np.array([1, 0, 1, 1]), "xy").combine(
        TextColumn(np.array([0, 0, 0, 1]), "ab"), fill
    )
    assert texts.to_list() == ["ya", "xa", "ya", "yb"]
    assert sorted(calls) == [("x", "a"), ("y", "a"), ("y", "b")]


def test_some() -> None:
    texts = TextColumn(np.arange(3), ["a", "b", "c"])
    boxes = np.arange(12.0).reshape(3, 4)
    points = np.array([False, True, False])
    whole = InstructionColumns("x", np.arange(3), texts, texts, texts, points, boxes)
    some = whole.take(np.array([False, True, True]))
    assert some.to_list() == whole.to_list()[1:]
    assert len(some) == 2
