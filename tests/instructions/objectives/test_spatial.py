"""Every label of the objective spatial against the geometry of its boxes."""

import random
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions.base import Conversation, Instruction, flip
from locvlm.instructions.objectives import RELATIONS, QuestionContext
from locvlm.instructions.objectives.spatial import CLEAR, MOST_COUNTED, ask_image
from tests.instructions.objectives.asking import CATEGORIES, FULL, ask, image, thing

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


def wide_image(things: list[Object]) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", WIDTH, HEIGHT, tuple(things))


def ask_relations(things: list[Object], *relations: str, seed: int = 0) -> list[Instruction]:
    return ask_image(
        wide_image(things), QuestionContext(NAMES, relations=relations), random.Random(seed)
    )


def boxes_of(things: list[Object]) -> dict[str, Box]:
    return {item.category: item.box for item in things}


@given(objects)
def test_left_and_right(things: list[Object]) -> None:
    where = boxes_of(things)
    for item in ask_relations(things, "left-right"):
        b, side, a = re.fullmatch(
            r"The (\w+) is located to the (left|right) of (\w+)\.", item.answer
        ).groups()
        assert item.question == f"Which side of {a} is {b} located?"
        gap = where[a].center.x - where[b].center.x
        assert (gap if side == "left" else -gap) >= CLEAR * WIDTH


@given(objects)
def test_above_and_below(things: list[Object]) -> None:
    where = boxes_of(things)
    for item in ask_relations(things, "above-below"):
        b, side, a = re.fullmatch(
            r"The (\w+) is located (above|below) (\w+)\.", item.answer
        ).groups()
        assert item.question == f"Is {b} above or below {a}?"
        gap = where[a].center.y - where[b].center.y
        assert (gap if side == "above" else -gap) >= CLEAR * HEIGHT


@given(objects)
def test_edge(things: list[Object]) -> None:
    where = boxes_of(things)
    for item in ask_relations(things, "edge"):
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
    asked = ask_relations(things, "count")
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
            Conversation("1.jpg", WIDTH, HEIGHT, tuple(ask_relations(things[:3], relation)))
        ).instructions
        if len(flipped) < 12:  # otherwise some were drawn
            there = ask_relations(mirrored, relation)
            assert {(i.question, i.answer) for i in flipped} == {
                (i.question, i.answer) for i in there
            }


def test_crowds_and_too_many_are_not_counted() -> None:
    cup = Object("cup", Box(0, 0, 9, 9))
    assert ask_relations([cup, Object("cup", Box(0, 0, 9, 9), crowd=True)], "count") == []
    assert len(ask_relations([cup] * MOST_COUNTED, "count")) == 1
    assert ask_relations([cup] * (MOST_COUNTED + 1), "count") == []


def test_what_has_more_instances_than_boxes_is_neither_counted_nor_compared() -> None:
    things = [Object("cup", Box(0, 0, 9, 9)), Object("dog", Box(90, 0, 99, 9))]
    assert ask_relations(things, *RELATIONS)
    picture = replace(wide_image(things), not_exhaustive=("cup",))
    (only,) = ask_image(picture, QuestionContext(NAMES, relations=RELATIONS), random.Random(0))
    assert only.question == "How many objects described dog are in the picture?"


@pytest.mark.parametrize("relation", RELATIONS)
def test_only_what_was_asked_for(relation: str) -> None:
    things = [Object("dog", Box(0, 0, 20, 20)), Object("cat", Box(150, 60, 190, 90))]
    words = {"left-right": "side of", "above-below": "above or", "edge": "edge", "count": "many"}
    asked = ask_relations(things, relation)
    assert asked
    assert all(words[relation] in item.question for item in asked)


def test_other_relations_do_not_change_the_sides() -> None:
    things = [
        Object(name, Box(40 * i, 20 * i, 40 * i + 9, 20 * i + 9)) for i, name in enumerate(NAMES)
    ]
    sides = ask_relations(things, "left-right", "above-below")
    assert ask_relations(things, *RELATIONS)[: len(sides)] == sides


class TestExamples:
    def test_left_and_right_in_both_orders(self) -> None:
        found = ask("spatial", FULL)  # dog on the left, cat on the right, at one height
        assert {(item.question, item.answer) for item in found} == {
            ("Which side of cat is dog located?", "The dog is located to the left of cat."),
            ("Which side of dog is cat located?", "The cat is located to the right of dog."),
        }
        assert {item.locations for item in found} == {()}

    def test_above_and_below_in_both_orders(self) -> None:
        found = ask("spatial", image(thing("cat", 40, 70), thing("dog", 40, 10)))
        assert {(item.question, item.answer) for item in found} == {
            ("Is dog above or below cat?", "The dog is located above cat."),
            ("Is cat above or below dog?", "The cat is located below dog."),
        }

    @pytest.mark.parametrize(("gap", "count"), [(0.0, 0), (9.9, 0), (10.0, 2)])
    def test_clear_means_a_tenth_of_the_picture(self, gap: float, count: int) -> None:
        assert len(ask("spatial", image(thing("cat", 40, 40), thing("dog", 40 + gap, 40)))) == count
        assert len(ask("spatial", image(thing("cat", 40, 40), thing("dog", 40, 40 + gap)))) == count

    def test_at_most_twelve_and_the_words_balance(self) -> None:
        crowded = image(*(thing(name, 9 * i, 9 * i) for i, name in enumerate(CATEGORIES)))
        for seed in range(20):
            found = ask("spatial", crowded, seed=seed)
            assert len(found) == 12
            words = Counter(
                word for item in found for word in re.findall("left|right|above|below", item.answer)
            )
            assert words["left"] == words["right"]
            assert words["above"] == words["below"]

    def test_mirrored_picture_gives_the_flipped_instructions(self) -> None:
        things = [thing("dog", 5, 40), thing("cat", 50, 5), thing("kite", 80, 70)]
        mirrored = [Object(item.category, item.box.flip(100)) for item in things]
        here, there = ask("spatial", image(*things)), ask("spatial", image(*mirrored))
        flipped = flip(Conversation("a.jpg", 100, 100, tuple(here)))
        assert set(flipped.instructions) == set(there)
        assert set(here) != set(there)
