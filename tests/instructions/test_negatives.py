"""Hard negatives: what is usual, or usual beside what is there, and yet not there."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.columns import ColumnarImages, ObjectColumns
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions import negatives as module
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.negatives import NegativeChooser, count_cooccurrence, make_negative_chooser

NAMES = ("a", "b", "c", "d")
BOX = Box(0, 0, 50, 50)


def image(number: int, names: str) -> AnnotatedImage:
    objects = tuple(Object(name, BOX) for name in names)
    return AnnotatedImage(number, f"{number}.jpg", 100, 100, objects)


def annotations(*pictures: str) -> AnnotationSet:
    return AnnotationSet(tuple(map(image, range(99), pictures)), NAMES, Path("instances.json"))


def columns(pictures: list[str]) -> ColumnarImages:
    letters = "".join(pictures)
    objects = ObjectColumns(
        boxes=np.tile([0.0, 0.0, 50.0, 50.0], (len(letters), 1)),
        categories=np.array([NAMES.index(letter) for letter in letters], np.int32),
        crowds=np.zeros(len(letters), np.bool_),
        ids=[0] * len(letters),
        names=NAMES,
    )
    starts = np.cumsum([0, *map(len, pictures)])
    return ColumnarImages([image(i, "") for i in range(len(pictures))], starts, objects)


def test_no_pictures() -> None:
    assert count_cooccurrence((), NAMES).tolist() == [[0] * 4] * 4
    assert count_cooccurrence((), ()).shape == (0, 0)


def test_counts() -> None:
    assert count_cooccurrence(annotations("aab", "ab", "c", "").images, NAMES).tolist() == [
        [2, 2, 0, 0],
        [2, 2, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


@given(st.lists(st.text("abcd", max_size=6), max_size=9), st.integers(1, 4))
def test_columns_and_objects_count_alike(pictures: list[str], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        counts = count_cooccurrence(columns(pictures), NAMES)
    for i, first in enumerate(NAMES):
        for j, second in enumerate(NAMES):
            assert counts[i, j] == sum(first in here and second in here for here in pictures)
    assert (counts == count_cooccurrence(annotations(*pictures).images, NAMES)).all()


def chosen(kind: module.NegativeChoice, here: str, count: int, *pictures: str) -> set[str]:
    chooser = make_negative_chooser(annotations(*pictures), kind)
    absent = [name for name in NAMES if name not in here]
    return set(chooser.choose(absent, image(1, here), count, random.Random(0)))


PICTURES = ("ab", "ab", "ac", "d", "d", "d", "d")


def test_popular() -> None:
    assert chosen("popular", "a", 1, *PICTURES) == {"d"}
    assert chosen("popular", "ad", 1, *PICTURES) == {"b"}


def test_adversarial() -> None:
    assert chosen("adversarial", "a", 1, *PICTURES) == {"b"}
    assert chosen("adversarial", "ab", 1, *PICTURES) == {"c"}
    assert chosen("adversarial", "c", 1, *PICTURES) == {"a"}


def test_adversarial_in_an_empty_picture_is_popular() -> None:
    assert chosen("adversarial", "", 1, *PICTURES) == {"d"}


def test_ties_go_by_popularity_and_then_by_order() -> None:
    assert chosen("adversarial", "a", 1, "a", "c", "d", "d") == {"d"}
    assert chosen("popular", "", 2, "d", "c", "b") == {"b", "c"}


def test_no_more_than_there_are() -> None:
    assert chosen("popular", "abc", 5, *PICTURES) == {"d"}
    assert chosen("random", "abcd", 5, *PICTURES) == set()


def test_known_absences_outside_the_categories_come_last() -> None:
    chooser = make_negative_chooser(annotations("ab"), "popular")
    here = image(1, "")
    assert chooser.choose(["x", "d"], here, 1, random.Random(0)) == ["d"]
    assert set(chooser.choose(["x", "d"], here, 2, random.Random(0))) == {"d", "x"}


def test_random_is_a_plain_sample() -> None:
    expected = random.Random(3).sample(NAMES, 2)
    assert NegativeChooser().choose(NAMES, image(1, ""), 2, random.Random(3)) == expected


def test_too_many_categories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CATEGORIES", 3)
    with pytest.raises(InputError, match=r"instances.json: 4 categories are too many"):
        make_negative_chooser(annotations("a"), "popular")
    assert make_negative_chooser(annotations("a"), "random").cooccurrence is None


@pytest.mark.parametrize("objective", ["negpred", "presence"])
def test_build(objective: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for source in ("negpred", "presence"):
        for limit in ("MOST", "LEAST"):
            path = f"locvlm.instructions.objectives.{source}.{limit}"
            monkeypatch.setattr(path, 1, raising=False)
    built = build(annotations(*PICTURES), QuestionOptions([objective], negatives="adversarial"))
    first = built.conversations[0].instructions[-1]
    assert " c" in first.question  # with a and b in sight, the one that was seen with them
    assert not first.locations
