"""Descriptions that boxes and words alone show to be wrong."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.pseudo.filters import (
    COORDINATES,
    EMPTY,
    LONG,
    OTHER,
    REPEATING,
    SHARED,
    SIDE,
    fault,
    filtered,
)

CATEGORIES = ("dog", "hot dog", "person", "dining table", "bus", "cat")
DOG = Object("dog", Box(10, 40, 40, 70))  # left, in the middle of the height
BUS = Object("bus", Box(160, 0, 190, 20))  # right, at the top
IMAGE = AnnotatedImage(1, "a.jpg", 200, 100, (DOG, BUS))


def of(text: str, item: Object = DOG, image: AnnotatedImage = IMAGE) -> str | None:
    return fault(text, item, image, CATEGORIES)


@pytest.mark.parametrize("text", ["", "  ", ".", "…!"])
def test_nothing_said(text: str) -> None:
    assert of(text) == EMPTY


def test_too_much() -> None:
    words = " ".join(f"w{number}" for number in range(41))
    assert of(words) == LONG
    assert of(words.removesuffix(" w40")) is None


def test_round_and_round() -> None:
    assert of("a dog on a dog on a dog on a dog") == REPEATING
    assert of("a dog on a dog") is None


@pytest.mark.parametrize(
    "text", ["A dog at (10,20,30,40)", "A dog at 0.1, -0.2", "the dog <loc0102><loc0001>"]
)
def test_places_in_numbers(text: str) -> None:
    assert of(text) == COORDINATES


@pytest.mark.parametrize("text", ["A dog with 3 legs", "Dog number 12", "a <b> dog"])
def test_other_numbers(text: str) -> None:
    assert of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "A cat.",
        "a hot dog on a plate",
        "Two buses",
        "There is a cat next to a dog",
        "A man with a dog",
        "the image shows a cat",
    ],
)
def test_another_thing(text: str) -> None:
    assert of(text) == OTHER


@pytest.mark.parametrize(
    "text",
    [
        "A brown dog next to a cat",
        "Dogs",
        "A puppy sitting by a cat",  # what a puppy is, the categories do not tell
        "It is sleeping under a dining table",
        "Something furry",
        "A catalogue",
    ],
)
def test_the_thing_itself_or_who_knows(text: str) -> None:
    assert of(text) is None


def test_words_for_people_mean_people() -> None:
    person = Object("person", Box(0, 0, 10, 10))
    image = AnnotatedImage(1, "a.jpg", 200, 100, (person,))
    assert of("A woman in a red coat", person, image) is None
    assert fault("A woman", DOG, IMAGE, ("dog", "bus")) is None  # a set without people


@pytest.mark.parametrize(
    "text",
    [
        "A dog on the right",
        "A dog on the right side of the image.",
        "a dog at the top of the picture, barking",
        "A dog to the right of the bus",
        "A dog above a bus",
    ],
)
def test_a_wrong_side(text: str) -> None:
    item = Object("dog", Box(10, 80, 40, 100))
    image = AnnotatedImage(1, "a.jpg", 200, 100, (item, BUS))
    assert of(text, item, image) == SIDE


@pytest.mark.parametrize(
    "text",
    [
        "A dog on the left",
        "a dog on the far left and in the shade",
        "A dog to the left of the bus",
        "A dog below the bus",
        "A dog at the bottom of the image",  # it is in the middle: not clearly wrong
        "A dog on the right hand of its owner",
        "A dog to the right of the cat",  # there is no cat to measure it by
        "A dog on the right side of the road",
    ],
)
def test_a_right_side_or_none(text: str) -> None:
    assert of(text) is None


def test_sides_of_one_of_many_are_not_measured() -> None:
    image = AnnotatedImage(1, "a.jpg", 200, 100, (DOG, BUS, Object("bus", Box(0, 0, 5, 5))))
    assert of("A dog to the right of the bus", image=image) is None


def test_the_same_words_for_two_things() -> None:
    drops: Counter[str] = Counter()
    said = {0: "A big thing.", 1: "a big thing"}
    kept, dropped = filtered(IMAGE, said, CATEGORIES, drops)
    assert kept == {}
    assert dropped == [(0, SHARED), (1, SHARED)]
    assert drops == {SHARED: 2}


def test_no_words_for_two_things_are_no_words() -> None:
    drops: Counter[str] = Counter()
    filtered(IMAGE, {0: "", 1: "."}, CATEGORIES, drops)
    assert drops == {EMPTY: 2}


@given(st.lists(st.text(max_size=60), max_size=2), st.booleans())
def test_each_is_kept_or_counted_once(texts: list[str], known: bool) -> None:
    drops: Counter[str] = Counter()
    said = dict(enumerate(texts))
    kept, dropped = filtered(IMAGE, said, CATEGORIES if known else (), drops)
    assert {*kept, *(place for place, _ in dropped)} == {*said}
    assert len(kept) + len(dropped) == len(said)
    assert drops.total() == len(dropped)
