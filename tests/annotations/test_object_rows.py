"""Annotated pictures to rows and back."""

from dataclasses import replace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.object_rows import SCHEMA, decode_images, encode_images, encode_in_batches
from locvlm.geometry import Box

CATEGORIES = ("dog", "cat")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
several = st.lists(texts, max_size=2).map(tuple)
sides = st.floats(0, 1000, allow_nan=False)
boxes = st.tuples(sides, sides, sides, sides).map(
    lambda four: Box(min(four[::2]), min(four[1::2]), max(four[::2]), max(four[1::2]))
)
objects = st.builds(
    Object,
    st.sampled_from((*CATEGORIES, "not listed")),
    boxes,
    st.booleans(),
    st.integers(),
    several,
)
images = st.builds(
    AnnotatedImage,
    st.integers() | texts,
    texts,
    st.integers(1, 9000),
    st.integers(1, 9000),
    st.lists(objects, max_size=3).map(tuple),
    several,
    absent=st.none() | several,
    not_exhaustive=several,
    split=texts,
)


def kept(image: AnnotatedImage) -> AnnotatedImage:
    """What is kept: ids as texts, none of objects."""
    return replace(
        image, id=str(image.id), objects=tuple(replace(item, id=0) for item in image.objects)
    )


@given(st.lists(images, max_size=4))
def test_there_and_back(made: list[AnnotatedImage]) -> None:
    table = pa.Table.from_batches([encode_images(made, CATEGORIES)])
    read = decode_images(table, CATEGORIES)
    assert [kept(image) for image in read] == [kept(image) for image in made]
    assert read.objects.names[:2] == CATEGORIES
    columns = ColumnarImages.of(made, CATEGORIES)
    assert pa.Table.from_batches([encode_images(columns, CATEGORIES)]) == table


def test_nothing() -> None:
    assert list(encode_in_batches([], CATEGORIES)) == []
    assert list(decode_images(SCHEMA.empty_table(), CATEGORIES)) == []


def test_a_slice_of_pictures() -> None:
    """Whose columns do not begin at their first row."""
    dog = Object("dog", Box(1, 2, 3, 4))
    made = [AnnotatedImage(i, f"{i}.png", 9, 9, (dog,) * i) for i in range(4)]
    rows = encode_images(ColumnarImages.of(made, CATEGORIES)[2:], CATEGORIES)
    read = decode_images(pa.Table.from_batches([rows]), CATEGORIES)
    assert [len(image.objects) for image in read] == [2, 3]


def test_rows_of_an_older_version_have_no_split() -> None:
    made = [AnnotatedImage(1, "1.png", 9, 9, split="val")]
    table = pa.Table.from_batches([encode_images(made, CATEGORIES)]).drop_columns("split")
    assert [image.split for image in decode_images(table, CATEGORIES)] == [""]
