"""What is known of a picture: single instances, sure absences."""

from typing import Any

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box

CATEGORIES = ("dog", "cat", "cup")
BOX = Box(0, 0, 1, 1)


def image(*names: str, **more: Any) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", 10, 10, tuple(Object(n, BOX) for n in names), **more)


def test_everything_is_absent_from_an_empty_picture() -> None:
    assert image().absent_of(CATEGORIES) == ["dog", "cat", "cup"]
    assert image().single_instances() == []


def test_what_was_looked_for_and_not_found_is_absent() -> None:
    assert image("cat", "cat").absent_of(CATEGORIES) == ["dog", "cup"]


def test_only_sure_absences_count() -> None:
    assert image("cat", absent=()).absent_of(CATEGORIES) == []
    assert image("cat", absent=("cup", "cat")).absent_of(CATEGORIES) == ["cup"]


def test_a_crowd_is_present() -> None:
    crowd = AnnotatedImage(1, "1.jpg", 10, 10, (Object("dog", BOX, crowd=True),))
    assert crowd.absent_of(CATEGORIES) == ["cat", "cup"]


def test_what_may_be_there_without_a_box_is_not_absent() -> None:
    assert image(not_exhaustive=("dog",)).absent_of(CATEGORIES) == ["cat", "cup"]
    assert image(not_exhaustive=("dog",), absent=("dog", "cup")).absent_of(CATEGORIES) == ["cup"]


def test_instances_of_each_category() -> None:
    assert image().instances() == {}
    found = image("cup", "dog", "cup").instances()
    assert [(name, len(items)) for name, items in found.items()] == [("cup", 2), ("dog", 1)]


def test_what_may_have_more_instances_than_boxes() -> None:
    some = image("dog", "cup", "cup", not_exhaustive=("dog", "cup"))
    assert some.instances() == {}
    assert some.single_instances() == []
    assert some.absent_of(CATEGORIES) == ["cat"]


def test_instances_of_a_crowd_are_not_known() -> None:
    things = (Object("dog", BOX), Object("dog", BOX, crowd=True), Object("cup", BOX))
    assert list(AnnotatedImage(1, "1.jpg", 10, 10, things).instances()) == ["cup"]
