from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.columns import ColumnarImages
from locvlm.annotations.drops import Drops
from locvlm.annotations.repeated_boxes import REASON, drop_repeated
from locvlm.geometry import Box

OBJECTS = st.builds(
    Object,
    st.sampled_from(["dog", "cat"]),
    st.builds(lambda x, w: Box(x, 0, x + w, 5), st.sampled_from([0, -0.0, 3]), st.integers(1, 2)),
    st.booleans(),
    st.integers(0, 9),
    st.sampled_from([(), ("a",), ("b",)]),
)


def make(*images: list[Object]) -> AnnotationSet:
    made = [AnnotatedImage(i, f"{i}.jpg", 9, 9, tuple(items)) for i, items in enumerate(images)]
    return AnnotationSet(tuple(made), ("dog", "cat"), Path("x"), Drops())


@given(st.lists(st.lists(OBJECTS, max_size=8), max_size=4))
def test_each_is_kept_once_in_its_image(images: list[list[Object]]) -> None:
    data = make(*images)
    columns = AnnotationSet(
        ColumnarImages.of(data.images, data.categories), data.categories, Path("x"), Counter()
    )
    seen = drop_repeated(data)
    assert drop_repeated(columns).images == seen.images
    expected = [dict.fromkeys((o.category, o.crowd, o.box) for o in items) for items in images]
    found = [[(o.category, o.crowd, o.box) for o in image.objects] for image in seen.images]
    assert found == [list(items) for items in expected]
    assert seen.drops[REASON] == sum(map(len, images)) - sum(map(len, found))
    for image, items in zip(seen.images, images, strict=True):
        texts = {text for item in items for text in item.descriptions}
        assert {text for item in image.objects for text in item.descriptions} == texts


def test_an_example() -> None:
    dog = Object("dog", Box(1, 2, 3, 4), id=7)
    data = drop_repeated(make([dog], [dog, dog]))
    assert data.drops.examples == {REASON: "x: 1.jpg, dog, id 7"}  # type: ignore[attr-defined]
    assert [len(image.single_instances()) for image in data.images] == [1, 1]
