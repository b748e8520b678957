"""All instances of a category, from left to right, in mirrored pictures too."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box, Point
from locvlm.instructions.base import Conversation, Instruction, flip, left_to_right
from locvlm.instructions.objectives import LocationChoice, QuestionContext
from locvlm.instructions.objectives.multiple import MOST, ask_image
from locvlm.instructions.render import render

CUPS = [Object("cup", Box(x, 10, x + 10, 20)) for x in (70, 0, 40)]


def image(*objects: Object) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", 100, 100, objects)


def ask(picture: AnnotatedImage, kind: LocationChoice = "box") -> list[Instruction]:
    return ask_image(picture, QuestionContext(("cup", "dog"), kind), random.Random(0))


@pytest.mark.parametrize(("count", "questions"), [(0, 0), (1, 0), (2, 1), (MOST, 1), (MOST + 1, 0)])
def test_how_many(count: int, questions: int) -> None:
    assert len(ask(image(*(CUPS[:1] * count)))) == questions


def test_text() -> None:
    (item,) = ask(image(*CUPS))
    assert "cup" in item.question
    form = coordinates.get("ivb", bins=100)
    _, answer = render(item, form, (100, 100))
    assert answer == "They are located at (0,10,10,20), (40,10,50,20) and (70,10,80,20)"


def test_points() -> None:
    (item,) = ask(image(*CUPS), "point")
    assert item.locations == (Point(5, 15), Point(45, 15), Point(75, 15))


def test_a_crowd_excludes_its_category() -> None:
    dogs = [Object("dog", Box(0, 0, 5, 5)), Object("dog", Box(9, 9, 20, 20))]
    (item,) = ask(image(*CUPS, replace(CUPS[0], crowd=True), *dogs))
    assert "dog" in item.question


def test_a_category_with_instances_that_have_no_box_is_left_out() -> None:
    assert ask(replace(image(*CUPS), not_exhaustive=("dog",)))
    assert not ask(replace(image(*CUPS), not_exhaustive=("cup",)))


def test_one_above_the_other() -> None:
    low, high = Box(10, 50, 20, 60), Box(10, 0, 20, 10)
    assert left_to_right([low, high]) == (high, low)


edges = st.integers(0, 80)
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h), edges, edges, *[st.integers(1, 20)] * 2
)


@given(st.lists(boxes, min_size=2, max_size=MOST), st.sampled_from(["box", "point"]))
def test_mirrored_picture_gives_the_flipped_instruction(
    places: list[Box], kind: LocationChoice
) -> None:
    (here,) = ask(image(*(Object("cup", box) for box in places)), kind)
    (there,) = ask(image(*(Object("cup", box.flip(100)) for box in places)), kind)
    flipped = flip(Conversation("1.jpg", 100, 100, (here,))).instructions[0]
    centers = [p.center if isinstance(p, Box) else p for p in flipped.locations]
    assert [(c.x, c.y) for c in centers] == sorted((c.x, c.y) for c in centers)
    assert set(flipped.locations) == set(there.locations)
    assert flipped.answer == there.answer


def test_locations_of_the_question_keep_their_order() -> None:
    item = Instruction("x", "{loc} or {loc}?", "{loc}", (Point(1, 0), Point(9, 0), Point(5, 0)))
    flipped = flip(Conversation("1.jpg", 10, 10, (item,))).instructions[0]
    assert flipped.locations == (Point(9, 0), Point(1, 0), Point(5, 0))
