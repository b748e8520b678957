"""Parts of pictures: what is still there, what is gone, and what nobody can tell."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.annotations.cropping import ENOUGH, crop_annotations
from locvlm.geometry import Box

CATEGORIES = ("dog", "cat", "cup")
PART = Box(20, 10, 60, 40)


def image(*objects: Object, **others: object) -> AnnotatedImage:
    picture = AnnotatedImage(1, "1.jpg", 100, 50, objects, captions=("A dog.",))
    return replace(picture, **others)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[AnnotatedImage, Box]:
    """Any picture with objects, and a part of it."""
    width, height = draw(st.tuples(st.integers(1, 60), st.integers(1, 60)))

    def span(length: int) -> tuple[float, float]:
        ends = st.floats(0, length) | st.integers(0, length).map(float)
        low, high = sorted((draw(ends), draw(ends)))
        return (low, high) if high - low > 1e-6 else (0.0, float(length))

    def part(length: int) -> tuple[int, int]:
        low = draw(st.integers(0, length - 1))
        return low, draw(st.integers(low + 1, length))

    objects = []
    for name in draw(st.lists(st.sampled_from(CATEGORIES), max_size=4)):
        (x1, x2), (y1, y2) = span(width), span(height)
        objects.append(Object(name, Box(x1, y1, x2, y2), draw(st.booleans())))
    (x1, x2), (y1, y2) = part(width), part(height)
    absent = draw(st.none() | st.just(("cup",)))
    some = AnnotatedImage(1, "1.jpg", width, height, tuple(objects), absent=absent)
    return some, Box(x1, y1, x2, y2)


@given(pictures())
def test_what_is_annotated_in_the_part_is_never_absent(case: tuple[AnnotatedImage, Box]) -> None:
    whole, window = case
    part = crop_annotations(whole, window)
    there = {item.category for item in whole.objects if item.box.overlaps(window)}
    assert not there & set(part.absent_of(CATEGORIES))
    assert there == {item.category for item in part.objects}.union(part.not_exhaustive)


@given(pictures())
def test_only_what_is_nowhere_in_the_part_is_absent(case: tuple[AnnotatedImage, Box]) -> None:
    whole, window = case
    there = {item.category for item in whole.objects if item.box.overlaps(window)}
    gone = {item.category for item in whole.objects} - there
    known = set(CATEGORIES) if whole.absent is None else {"cup"} | gone
    assert set(crop_annotations(whole, window).absent_of(CATEGORIES)) == known - there


@given(pictures())
def test_boxes_are_in_the_pixels_of_the_part(case: tuple[AnnotatedImage, Box]) -> None:
    whole, window = case
    part = crop_annotations(whole, window)
    assert (part.width, part.height) == (window.width, window.height)
    for item in part.objects:
        assert item.box.area > 0
        assert item.box.clip(part.width, part.height) == item.box


@given(pictures())
def test_all_of_a_picture_is_the_picture(case: tuple[AnnotatedImage, Box]) -> None:
    whole, _ = case
    assert crop_annotations(whole, Box(0, 0, whole.width, whole.height)).objects == whole.objects


def test_what_is_wholly_seen_moves_with_its_pixels() -> None:
    part = crop_annotations(image(Object("dog", Box(30, 15, 50, 40))), PART)
    assert part.objects == (Object("dog", Box(10, 5, 30, 30)),)


def test_what_is_mostly_seen_has_the_box_of_what_is_seen() -> None:
    (dog,) = crop_annotations(image(Object("dog", Box(10, 15, 40, 30))), PART).objects
    assert dog.box == Box(0, 5, 20, 20)


@pytest.mark.parametrize(("seen", "told"), [(0.01, False), (0.49, False), (0.5, True), (1, True)])
def test_what_is_hardly_seen_is_neither_there_nor_absent(seen: float, told: bool) -> None:
    assert ENOUGH == 0.5
    part = crop_annotations(
        image(Object("dog", Box(20 - 10 * (1 - seen), 20, 20 + 10 * seen, 30))), PART
    )
    assert [item.category for item in part.objects] == ["dog"] * told
    assert part.absent_of(CATEGORIES) == ["cat", "cup"]


def test_a_part_inside_of_a_thing_does_not_show_the_thing() -> None:
    part = crop_annotations(image(Object("dog", Box(0, 0, 100, 50))), PART)
    assert (part.objects, part.not_exhaustive) == ((), ("dog",))


def test_beside_one_that_is_cut_another_is_not_the_only_one() -> None:
    part = crop_annotations(
        image(Object("dog", Box(30, 15, 40, 30)), Object("dog", Box(0, 0, 21, 50))), PART
    )
    assert len(part.objects) == 1
    assert not part.single_instances()


def test_what_touches_the_part_is_outside() -> None:
    part = crop_annotations(
        image(Object("dog", Box(0, 0, 20, 50)), Object("cat", Box(60, 40, 70, 50))), PART
    )
    assert part.absent_of(CATEGORIES) == list(CATEGORIES)


@pytest.mark.parametrize(("x", "there"), [(30, True), (18, False)])
def test_a_crowd_must_be_seen_wholly(x: float, there: bool) -> None:
    """Nobody knows where in its box it is."""
    part = crop_annotations(image(Object("dog", Box(x, 15, x + 20, 30), crowd=True)), PART)
    assert len(part.objects) == there
    assert part.absent_of(CATEGORIES) == ["cat", "cup"]


def test_of_what_was_looked_for_what_is_outside_is_absent() -> None:
    """As in LVIS: only some categories are known to be absent."""
    dog, cat = Object("dog", Box(70, 0, 90, 20)), Object("cat", Box(70, 0, 90, 20))
    part = crop_annotations(image(dog, cat, absent=("cup",), not_exhaustive=("cat",)), PART)
    assert part.absent_of(CATEGORIES) == ["cup", "dog"]


@pytest.mark.parametrize(("width", "said"), [(100, True), (81, True), (80, False), (20, False)])
def test_what_is_said_of_the_whole_stays_with_most_of_it(width: int, said: bool) -> None:
    dog = Object("dog", Box(2, 2, 10, 10), descriptions=("the dog on the left",))
    part = crop_annotations(image(dog), Box(0, 0, width, 50))
    assert part.captions == ("A dog.",) * said
    assert part.objects[0].descriptions == dog.descriptions * said


def test_a_picture_of_one_pixel() -> None:
    dot = replace(image(Object("dog", Box(0, 0, 1, 1))), width=1, height=1)
    assert crop_annotations(dot, Box(0, 0, 1, 1)).objects == dot.objects


@pytest.mark.parametrize("window", [Box(0, 0, 101, 50), Box(0, 0, 9.5, 9), Box(3, 3, 3, 9)])
def test_a_window_that_is_none(window: Box) -> None:
    with pytest.raises(ValueError, match="whole pixels|at least 1"):
        crop_annotations(image(), window)
