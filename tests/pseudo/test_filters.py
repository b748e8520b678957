"""Descriptions that boxes and words alone show to be wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.pseudo.filters import (
    BRACES,
    CONTROL,
    COORDINATES,
    DENIAL,
    EMPTY,
    LONG,
    OTHER,
    REPEATING,
    SHARED,
    SIDE,
    find_fault,
    find_faults,
    find_unusable,
    strip_beginning,
)

CATEGORIES = ("dog", "hot dog", "person", "dining table", "bus", "cat", "orange")
DOG = Object("dog", Box(10, 40, 40, 70))  # left, in the middle of the height
BUS = Object("bus", Box(160, 0, 190, 20))  # right, at the top
IMAGE = AnnotatedImage(1, "a.jpg", 200, 100, (DOG, BUS))


def of(text: str, item: Object = DOG, image: AnnotatedImage = IMAGE) -> str | None:
    return find_fault(strip_beginning(text), item, image, CATEGORIES)


@pytest.mark.parametrize("text", ["", "  ", ".", "…!", "-", "'", "__"])
def test_nothing_said(text: str) -> None:
    assert of(text) == EMPTY


def test_too_much() -> None:
    words = " ".join(f"w{number}" for number in range(41))
    assert of(words) == LONG
    assert of(words.removesuffix(" w40")) is None
    assert of("d" * 301) == LONG


@pytest.mark.parametrize(
    "text",
    ["no dog in this image.", "Sorry, I can't see a dog", "The dog is not visible", "None"],
)
def test_the_thing_is_denied(text: str) -> None:
    assert of(text) == DENIAL
    assert of(f"There is {text}") == DENIAL


@pytest.mark.parametrize("text", ["A dog that is not moving", "a dog without noise"])
def test_a_not_that_denies_nothing(text: str) -> None:
    assert of(text) is None


def test_braces() -> None:
    assert of("a {dog}") == BRACES


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("There is a dog.", "a dog."),
        ("In the image, there are\n two dogs", "two dogs"),
        ("The picture shows a dog", "a dog"),
        ("Yes, a dog", "a dog"),
        ("A dog that is there", "A dog that is there"),
        ("", ""),
    ],
)
def test_sentences_become_phrases(text: str, phrase: str) -> None:
    assert strip_beginning(text) == phrase


@pytest.mark.parametrize(
    "text",
    [
        "A dog <image> here",
        "A dog.</s>",
        "A dog<|im_end|>",
        "<start_of_turn>A dog",
        "A dog [/INST]",
    ],
)
def test_control_tokens(text: str) -> None:
    """A question or answer that holds one is refused by training."""
    assert of(text) == find_unusable(text) == CONTROL


@pytest.mark.parametrize(
    "text", ["A dog with 2 < 3 legs", "A dog <3", "a <b> dog", "A sign [STOP] by a dog"]
)
def test_signs_that_are_no_control_tokens(text: str) -> None:
    assert find_unusable(text) is None


@pytest.mark.parametrize(("text", "reason"), [("", EMPTY), (" . ", EMPTY), ("a {dog}", BRACES)])
def test_what_no_text_can_hold(text: str, reason: str) -> None:
    assert find_unusable(text) == reason
    assert find_unusable("No cat, (1,2,3,4), a bus") is None


def test_round_and_round() -> None:
    assert of("a dog on a dog on a dog on a dog") == REPEATING
    assert of("a dog with a cat on a cat") is None
    assert of("a dog on a dog") == REPEATING  # there is one
    assert of("a dog on two dogs") == REPEATING


@pytest.mark.parametrize(
    "text",
    [
        "A dog at (10,20,30,40)",
        "A dog at (10,10,224,181)",
        "A dog at (108,103,145,156)",
        "A dog at 0.1, -0.2",
        "A dog [10 20 30 40]",
        "A dog at x=10",
        "the dog <loc0102><loc0001>",
    ],
)
def test_places_in_numbers(text: str) -> None:
    assert of(text) == COORDINATES


@pytest.mark.parametrize(
    "text", ["A dog with 3 legs", "Dog 12", "a <b> dog", "A dog and 1000 cats"]
)
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
        "A dog bus",
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
        "An orange dog",
        "An orange and white dog",
        "A person's dog",
        "A catalogue",
    ],
)
def test_the_thing_itself_or_who_knows(text: str) -> None:
    assert of(text) is None


def test_words_for_people_mean_people() -> None:
    person = Object("person", Box(0, 0, 10, 10))
    image = AnnotatedImage(1, "a.jpg", 200, 100, (person,))
    assert of("A woman in a red coat", person, image) is None
    assert find_fault("A woman", DOG, IMAGE, ("dog", "bus")) is None  # a set without people


@pytest.mark.parametrize(
    "text",
    [
        "A dog on the right",
        "A dog on the right side of the image.",
        "a dog at the top of the picture, barking",
        "A dog on the right side of this image near a tree",
        "A dog on the right-hand side.",
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
        "A dog looking to the right",
        "A dog next to the bus on the right",  # the bus is there
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
    said = {0: "A big thing.", 1: "a big thing"}
    assert find_faults(IMAGE, said, CATEGORIES) == {0: SHARED, 1: SHARED}


def test_no_words_for_two_things_are_no_words() -> None:
    assert find_faults(IMAGE, {0: "", 1: "."}, CATEGORIES) == {0: EMPTY, 1: EMPTY}


@given(st.lists(st.text(max_size=60), max_size=2), st.booleans())
def test_any_words(texts: list[str], known: bool) -> None:
    said = {place: strip_beginning(text) for place, text in enumerate(texts)}
    assert find_faults(IMAGE, said, CATEGORIES if known else ()).keys() <= said.keys()
