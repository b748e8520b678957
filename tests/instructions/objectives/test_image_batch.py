"""What holds of pictures together is what holds of each."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions.objectives.image_batch import ImageBatch, number_in_groups
from locvlm.instructions.objectives.phrases import own_descriptions

CATEGORIES = ("dog", "cat", "cup")
names = st.sampled_from((*CATEGORIES, "unlisted"))

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    *[st.integers(0, 30).map(float)] * 2,
    *[st.integers(1, 60).map(float)] * 2,
)
phrases = st.sampled_from(("brown one", "the cat", "A dog.", "left one"))
objects = st.builds(
    Object, names, boxes, st.booleans(), st.just(0), st.lists(phrases, max_size=2).map(tuple)
)
plain = objects.map(lambda item: replace(item, descriptions=()))
pictures = st.lists(
    st.builds(
        AnnotatedImage,
        st.integers(0, 99),
        st.just("a.jpg"),
        st.just(100),
        st.just(100),
        (st.lists(objects, max_size=5) | st.lists(plain, max_size=5)).map(tuple),
        absent=st.none() | st.lists(names, max_size=3, unique=True).map(tuple),
        not_exhaustive=st.lists(names, max_size=1).map(tuple),
    ),
    max_size=5,
)


def test_no_picture() -> None:
    batch = ImageBatch([], CATEGORIES)
    assert len(batch) == len(batch.nameable) == len(batch.object_numbers) == 0
    assert batch.present(slice(0, 0)).shape == (0, 4)


def named(image: AnnotatedImage) -> list[int]:
    """Which objects of a picture can be named: the rule, for one picture."""
    single = {id(item) for item in image.single_instances()}
    own = own_descriptions(image)
    return [
        place
        for place, item in enumerate(image.objects)
        if not item.crowd and (own[place] or id(item) in single)
    ]


@given(pictures)
def test_nameable(images: list[AnnotatedImage]) -> None:
    batch = ImageBatch(images, CATEGORIES)
    rows = batch.nameable
    found = zip(batch.image_index[rows].tolist(), batch.object_numbers[rows].tolist(), strict=True)
    assert list(found) == [(row, place) for row, i in enumerate(images) for place in named(i)]


@given(pictures, st.integers(0, 5), st.integers(0, 5))
def test_present(images: list[AnnotatedImage], start: int, stop: int) -> None:
    batch = ImageBatch(images, CATEGORIES)
    table = batch.present(slice(start, max(start, stop)))
    for here, image in zip(table, images[start : max(start, stop)], strict=True):
        found = {name for name, place in batch.category_index.items() if here[place]}
        known = {item.category for item in image.objects}.union(image.not_exhaustive)
        assert found == known
    assert not table[:, -1].any()


@given(st.lists(st.integers(0, 4)).map(sorted))
def test_number_in_groups(groups: list[int]) -> None:
    expected = [groups[:place].count(group) for place, group in enumerate(groups)]
    assert number_in_groups(np.array(groups, np.int64)).tolist() == expected
