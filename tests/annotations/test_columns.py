"""Columns are a sequence of pictures like any other."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.columns import ColumnarImages, ObjectColumns
from locvlm.geometry import Box

NAMES = ("dog", "cat")

objects = st.builds(
    lambda name, x, y, w, h, crowd, number: Object(name, Box(x, y, x + w, y + h), crowd, number),
    st.sampled_from(NAMES),
    *[st.floats(0, 1e4)] * 4,
    st.booleans(),
    st.integers(0, 9) | st.text(max_size=3),
)
images = st.lists(
    st.builds(
        AnnotatedImage,
        st.integers(0, 99),
        st.just("a.jpg"),
        st.integers(1, 99),
        st.integers(1, 99),
        st.lists(objects, max_size=4).map(tuple),
        st.just(("A dog.",)),
    ),
    max_size=5,
)


def columns(plain: list[AnnotatedImage]) -> ColumnarImages:
    items = [item for image in plain for item in image.objects]
    return ColumnarImages(
        [AnnotatedImage(i.id, i.file_name, i.width, i.height, (), i.captions) for i in plain],
        np.cumsum([0, *(len(image.objects) for image in plain)]),
        ObjectColumns(
            np.array([[i.box.x1, i.box.y1, i.box.x2, i.box.y2] for i in items]).reshape(-1, 4),
            np.array([NAMES.index(item.category) for item in items], np.int32),
            np.array([item.crowd for item in items], np.bool_),
            [item.id for item in items],
            NAMES,
        ),
    )


@given(images)
def test_as_the_plain_list(plain: list[AnnotatedImage]) -> None:
    assert list(columns(plain)) == plain
    assert columns(plain) == plain
    assert plain == columns(plain)
    assert columns(plain) != [*plain, AnnotatedImage(1, "b.jpg", 1, 1)]


@given(images)
def test_of_a_list(plain: list[AnnotatedImage]) -> None:
    made = ColumnarImages.of(plain, ("cat",))
    assert made == plain
    assert made.objects.names in {("cat",), ("cat", "dog")}
    assert made.counts.tolist() == [len(image.objects) for image in plain]
    assert ColumnarImages.of(made, ()) is made
    said = [replace(image, objects=_described(image.objects)) for image in plain]
    assert ColumnarImages.of(said, NAMES) == said


def _described(things: tuple[Object, ...]) -> tuple[Object, ...]:
    return tuple(
        replace(item, descriptions=("a thing",) * (n % 2)) for n, item in enumerate(things)
    )


@given(images, st.slices(6))
def test_slices(plain: list[AnnotatedImage], part: slice) -> None:
    assert list(columns(plain)[part]) == plain[part]
    assert list(pickle.loads(pickle.dumps(columns(plain)[part]))) == plain[part]
    assert list(columns(plain)[1:][part]) == plain[1:][part]


@given(images)
def test_from_both_ends(plain: list[AnnotatedImage]) -> None:
    for index in range(-len(plain), len(plain)):
        assert columns(plain)[index] == plain[index]
    for index in (len(plain), -len(plain) - 1):
        with pytest.raises(IndexError):
            columns(plain)[index]


@given(images)
def test_owners(plain: list[AnnotatedImage]) -> None:
    wanted = [row for row, image in enumerate(plain) for _ in image.objects]
    assert columns(plain).image_index().tolist() == wanted


def test_nothing_else_is_equal() -> None:
    assert columns([]) == ()
    assert columns([]) != 5


def test_plain_python_values() -> None:
    """Not NumPy's, which print and serialize otherwise."""
    (image,) = columns([AnnotatedImage(1, "a", 5, 5, (Object("dog", Box(0, 1, 2, 3), True, 7),))])
    (item,) = image.objects
    assert (type(item.box.x1), type(item.crowd), type(item.id)) == (float, bool, int)


@given(st.lists(images, min_size=1, max_size=3))
def test_one_after_the_other(parts: list[list[AnnotatedImage]]) -> None:
    """Whatever order each part has its categories in, and though some have descriptions."""
    names = [NAMES[:: (-1) ** place] for place in range(len(parts))]
    described = [
        replace(i, objects=tuple(replace(o, descriptions=("x",)) for o in i.objects))
        for i in parts[0]
    ]
    plain = [described, *parts[1:]]
    joined = ColumnarImages.join(
        [ColumnarImages.of(part, of) for part, of in zip(plain, names, strict=True)]
    )
    assert list(joined) == [image for part in plain for image in part]
