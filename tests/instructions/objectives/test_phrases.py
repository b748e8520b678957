"""Objects with descriptions of their own are called by them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.geometry import Box
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.filters import drop_unusable_descriptions
from locvlm.instructions.objectives.batch_draws import draw_phrases
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.phrases import (
    fill_category,
    normalize_phrase,
    own_descriptions,
    shared_phrases,
)
from locvlm.instructions.objectives.random_draws import Draws

DOG = Object("dog", Box(0, 0, 10, 10))
BROWN = replace(DOG, descriptions=("brown dog on the left", "the sleeping dog."))
CAT = Object("cat", Box(50, 50, 90, 90))


def image(*objects: Object) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", 100, 100, objects)


def nameable(picture: AnnotatedImage) -> list[Object]:
    """The objects that a phrase singles out, with the descriptions of their own."""
    batch, own = ImageBatch([picture]), own_descriptions(picture)
    return [replace(picture.objects[row], descriptions=own[row]) for row in batch.nameable]


def called(picture: AnnotatedImage, key: int) -> list[str]:
    """What the objects of a picture are called."""
    batch = ImageBatch([picture])
    rows = np.arange(len(picture.objects))
    draws = Draws(np.full(len(rows), key, np.uint64), rows)
    return draw_phrases(batch, rows, batch.objects.descriptions, draws).to_list()


def test_nothing_to_name() -> None:
    assert nameable(image()) == []
    assert nameable(image(replace(BROWN, crowd=True))) == []


def test_a_described_object_need_not_be_alone() -> None:
    assert nameable(image(DOG, BROWN, CAT)) == [BROWN, CAT]
    assert nameable(image(BROWN)) == [BROWN]


def test_a_description_of_two_objects_singles_out_neither() -> None:
    left, right = replace(DOG, descriptions=("A dog.", "left dog")), replace(DOG, category="animal")
    right = replace(right, descriptions=("the DOG",))
    assert shared_phrases(image(left, right)) == {"dog"}
    assert nameable(image(left, right)) == [
        replace(left, descriptions=("left dog",)),
        replace(right, descriptions=()),  # the only animal
    ]


def test_a_description_that_is_the_category_of_another_object() -> None:
    only = replace(DOG, descriptions=("the dog",))
    assert nameable(image(only)) == [only]
    assert nameable(image(only, DOG)) == []


def test_shared_descriptions_are_counted_but_stay_answers() -> None:
    one = replace(DOG, descriptions=("a dog", "brown"))
    data = AnnotationSet([image(one, replace(one, descriptions=("a dog",)))], ("dog",), Path("a"))
    built = build(data, QuestionOptions(("locpred", "revloc")))
    assert built.counts == {"locpred": 1, "revloc": 2}
    asked, _, answered = built.conversations[0].instructions
    assert "brown" in asked.question
    assert answered.answer == "There is a dog."
    assert built.drops == {"descriptions of several objects, not asked for": 2}


@pytest.mark.parametrize("text", ["dog", "A dog.", "the Dog", " dog. "])
def test_plain(text: str) -> None:
    assert normalize_phrase(text) == "dog"


@pytest.mark.parametrize("text", ["", "a", "the", "anthill", "his dog"])
def test_what_is_plain_already(text: str) -> None:
    assert normalize_phrase(text) == text


def test_one_of_the_descriptions_or_the_category() -> None:
    said = [called(image(BROWN, CAT), key) for key in range(30)]
    assert {first for first, _ in said} == {"brown dog on the left", "the sleeping dog"}
    assert {second for _, second in said} == {"cat"}
    assert called(image(CAT, DOG), 0) == ["cat", "dog"]
    assert called(image(), 0) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("dog", "There is a dog."),
        ("apple", "There is an apple."),  # the paper has "a" before any category
        ("eggshell", "There is an eggshell."),
        ("Umbrella", "There is an Umbrella."),
        ("hourglass", "There is an hourglass."),
        ("unicycle", "There is a unicycle."),
        ("uniform", "There is a uniform."),
        ("house", "There is a house."),
        ("犬", "There is a 犬."),
        ("The brown dog", "There is The brown dog."),
        ("a dog", "There is a dog."),
        ("theatre", "There is a theatre."),
    ],
)
def test_articles(said: str, expected: str) -> None:
    assert fill_category("There is a {category}.", said) == expected


def test_build_asks_both_ways_by_descriptions() -> None:
    data = AnnotationSet([image(DOG, BROWN, CAT)], ("dog", "cat", "bus"), Path("a.json"))
    built = build(data, QuestionOptions(("locpred", "revloc")))
    assert built.counts == {"locpred": 2, "revloc": 3}
    asked, cat, *reverse = built.conversations[0].instructions
    assert asked.locations == (BROWN.box,)
    assert any(text.rstrip(".") in asked.question for text in BROWN.descriptions)
    assert "cat" in cat.question
    assert reverse[0].answer == "There is a dog."
    assert reverse[1].answer in {"There is a brown dog on the left.", "There is the sleeping dog."}


def test_unusable_descriptions_are_counted() -> None:
    drops: Counter[str] = Counter()
    odd = replace(DOG, descriptions=("", " .", "at {loc}", "brown"))
    kept = drop_unusable_descriptions(image(odd, CAT), drops)
    assert kept.objects == (replace(DOG, descriptions=("brown",)), CAT)
    assert drops == {"descriptions that are empty or have braces": 3}


@pytest.mark.parametrize(
    ("phrase", "answer"),
    [
        ("There is a brown dog", "There is a brown dog."),
        ("there is THE dog", "There is THE dog."),
        ("There is brown dog", "There is a brown dog."),
        ("There are dogs", "There is a There are dogs."),
        ("Therein", "There is a Therein."),
    ],
)
def test_a_beginning_is_not_said_twice(phrase: str, answer: str) -> None:
    assert fill_category("There is a {category}.", phrase) == answer
    assert fill_category("{category}", phrase) == phrase
    where = fill_category("Where is the object described {category}?", phrase)
    assert where == f"Where is the object described {phrase}?"
