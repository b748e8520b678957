"""Every label of the objective spatial against the geometry of its boxes."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions.base import Conversation, Instruction, flip
from locvlm.instructions.objectives import RELATIONS, QuestionContext
from locvlm.instructions.objectives.spatial import CLEAR, MOST_COUNTED, ask_image

WIDTH, HEIGHT = 200, 100
NAMES = ("dog", "cat", "cup", "bus")

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, min(x + w, WIDTH), min(y + h, HEIGHT)),
    st.integers(0, WIDTH - 1),
    st.integers(0, HEIGHT - 1),
    st.integers(1, WIDTH),
    st.integers(1, HEIGHT),
)
objects = st.lists(st.builds(Object, st.sampled_from(NAMES), boxes), max_size=8)


def image(things: list[Object]) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", WIDTH, HEIGHT, tuple(things))


def ask(things: list[Object], *relations: str, seed: int = 0) -> list[Instruction]:
    return ask_image(
        image(things), QuestionContext(NAMES, relations=relations), random.Random(seed)
    )


def boxes_of(things: list[Object]) -> dict[str, Box]:
    return {item.category: item.box for item in things}


@given(objects)
def test_left_and_right(things: list[Object]) -> None:
    where = boxes_of(things)
    for item in ask(things, "left-right"):
        b, side, a = re.fullmatch(
            r"The (\w+) is located to the (left|right) of (\w+)\.", item.answer
        ).groups()
        assert item.question == f"Which side of {a} is {b} located?"
        gap = where[a].center.x - where[b].center.x
        assert (gap if side == "left" else -gap) >= CLEAR * WIDTH


@given(objects)
def test_above_and_below(things: list[Object]) -> None:
    where = boxes_of(things)
    for item in ask(things, "above-below"):
        b, side, a = re.fullmatch(
            r"The (\w+) is located (above|below) (\w+)\.", item.answer
        ).groups()
        assert item.question == f"Is {b} above or below {a}?"
        gap = where[a].center.y - where[b].center.y
        assert (gap if side == "above" else -gap) >= CLEAR * HEIGHT


@given(objects)
def test_edge(things: list[Object]) -> None:
    where = boxes_of(things)
    for item in ask(things, "edge"):
        side, a, b = re.fullmatch(
            r"Which is nearer to the (\w+) edge of the picture, (\w+) or (\w+)\?", item.question
        ).groups()
        nearer = re.fullmatch(rf"The (\w+) is nearer to the {side} edge\.", item.answer)[1]
        (farther,) = {a, b} - {nearer}
        length = WIDTH if side in ("left", "right") else HEIGHT
        gaps = {
            name: {
                "left": where[name].x1,
                "right": WIDTH - where[name].x2,
                "top": where[name].y1,
                "bottom": HEIGHT - where[name].y2,
            }[side]
            for name in (nearer, farther)
        }
        assert gaps[farther] - gaps[nearer] >= CLEAR * length


@given(objects)
def test_count(things: list[Object]) -> None:
    asked = ask(things, "count")
    assert len(asked) == len({item.category for item in things})
    for item in asked:
        name = re.fullmatch(
            r"How many objects described (\w+) are in the picture\?", item.question
        )[1]
        here = tuple(thing.box for thing in things if thing.category == name)
        assert int(item.answer) == len(here)
        assert item.evidence == here


@given(objects)
@settings(deadline=None)
def test_mirrored_picture_gives_the_flipped_instructions(things: list[Object]) -> None:
    mirrored = [Object(item.category, item.box.flip(WIDTH)) for item in things[:3]]
    for relation in RELATIONS:
        flipped = flip(
            Conversation("1.jpg", WIDTH, HEIGHT, tuple(ask(things[:3], relation)))
        ).instructions
        if len(flipped) < 12:  # otherwise some were drawn
            there = ask(mirrored, relation)
            assert {(i.question, i.answer) for i in flipped} == {
                (i.question, i.answer) for i in there
            }


def test_crowds_and_too_many_are_not_counted() -> None:
    cup = Object("cup", Box(0, 0, 9, 9))
    assert ask([cup, Object("cup", Box(0, 0, 9, 9), crowd=True)], "count") == []
    assert len(ask([cup] * MOST_COUNTED, "count")) == 1
    assert ask([cup] * (MOST_COUNTED + 1), "count") == []


def test_what_has_more_instances_than_boxes_is_neither_counted_nor_compared() -> None:
    things = [Object("cup", Box(0, 0, 9, 9)), Object("dog", Box(90, 0, 99, 9))]
    assert ask(things, *RELATIONS)
    picture = replace(image(things), not_exhaustive=("cup",))
    (only,) = ask_image(picture, QuestionContext(NAMES, relations=RELATIONS), random.Random(0))
    assert only.question == "How many objects described dog are in the picture?"


@pytest.mark.parametrize("relation", RELATIONS)
def test_only_what_was_asked_for(relation: str) -> None:
    things = [Object("dog", Box(0, 0, 20, 20)), Object("cat", Box(150, 60, 190, 90))]
    words = {"left-right": "side of", "above-below": "above or", "edge": "edge", "count": "many"}
    asked = ask(things, relation)
    assert asked
    assert all(words[relation] in item.question for item in asked)


def test_other_relations_do_not_change_the_sides() -> None:
    things = [
        Object(name, Box(40 * i, 20 * i, 40 * i + 9, 20 * i + 9)) for i, name in enumerate(NAMES)
    ]
    sides = ask(things, "left-right", "above-below")
    assert ask(things, *RELATIONS)[: len(sides)] == sides
