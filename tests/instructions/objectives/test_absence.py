"""Absent categories of many pictures."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions.negatives import NegativeChooser, count_cooccurrence
from locvlm.instructions.objectives import QuestionContext, absence
from locvlm.instructions.objectives.absence import draw_absent
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.random_draws import image_keys
from tests.instructions.objectives.test_image_batch import CATEGORIES, pictures

RANKED = NegativeChooser(
    "popular", {name: place for place, name in enumerate(CATEGORIES)}, np.diag([3, 2, 1])
)


def chosen(
    images: list[AnnotatedImage], asking: QuestionContext, wanted: int, seed: int = 0
) -> list[list[str]]:
    """The names for each picture."""
    batch = ImageBatch(images, asking.categories)
    keys = image_keys(seed, (image.id for image in images))
    rows, names = draw_absent(batch, asking, np.full(len(images), wanted), keys)
    assert rows.tolist() == sorted(rows.tolist())
    found: list[list[str]] = [[] for _ in images]
    for row, name in zip(rows.tolist(), names.to_list(), strict=True):
        found[row].append(name)
    return found


@pytest.mark.parametrize("negatives", [NegativeChooser(), RANKED])
def test_nothing_to_choose_from(negatives: NegativeChooser) -> None:
    bare = AnnotatedImage(1, "a.jpg", 10, 10)
    assert chosen([], QuestionContext(CATEGORIES, negatives=negatives), 4) == []
    assert chosen([bare], QuestionContext((), negatives=negatives), 4) == [[]]
    assert chosen([bare], QuestionContext(CATEGORIES, negatives=negatives), 0) == [[]]


@given(pictures, st.integers(0, 4), st.sampled_from([NegativeChooser(), RANKED]))
def test_as_many_different_absent_ones_as_there_are(
    images: list[AnnotatedImage], wanted: int, negatives: NegativeChooser
) -> None:
    found = chosen(images, QuestionContext(CATEGORIES, negatives=negatives), wanted)
    for names, image in zip(found, images, strict=True):
        absent = image.absent_of(CATEGORIES)
        assert len(set(names)) == len(names) == min(wanted, len(absent))
        assert set(names) <= set(absent)


@given(pictures, st.integers(1, 4))
def test_other_pictures_change_nothing(images: list[AnnotatedImage], wanted: int) -> None:
    together = chosen(images, QuestionContext(CATEGORIES), wanted)
    assert together == [chosen([image], QuestionContext(CATEGORIES), wanted)[0] for image in images]


@given(pictures)
def test_the_size_of_the_table_changes_nothing(images: list[AnnotatedImage]) -> None:
    whole = chosen(images, QuestionContext(CATEGORIES), 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(absence, "CELLS", 5)
        assert chosen(images, QuestionContext(CATEGORIES), 2) == whole


def test_all_are_equally_likely_in_each_place() -> None:
    names = tuple("abcdef")
    dog = Object("a", Box(0, 0, 5, 5))
    images = [AnnotatedImage(number, "", 9, 9, (dog,)) for number in range(6000)]
    found = chosen(images, QuestionContext(names), 3)
    for place in range(3):
        counts = Counter(some[place] for some in found)
        assert counts.keys() == set("bcdef")
        assert max(abs(count - 1200) for count in counts.values()) < 140  # 4.5 sigma
    pairs = Counter((some[0], some[1]) for some in found)
    assert len(pairs) == 20
    assert max(abs(count - 300) for count in pairs.values()) < 80


def test_the_hardest_are_taken() -> None:
    names = tuple("abcd")
    images = [
        AnnotatedImage(n, "", 9, 9, tuple(Object(c, Box(0, 0, 5, 5)) for c in here))
        for n, here in enumerate(("ab", "ab", "abc", "d"))
    ]
    index = {name: place for place, name in enumerate(names)}
    chooser = NegativeChooser("adversarial", index, count_cooccurrence(images, names))
    found = chosen(images, QuestionContext(names, negatives=chooser), 1)
    assert found == [["c"], ["c"], ["d"], ["a"]]
