"""What is known of a picture: single instances, sure absences."""

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box

CATEGORIES = ("dog", "cat", "cup")
BOX = Box(0, 0, 1, 1)


def image(*names: str, absent: tuple[str, ...] | None = None) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", 10, 10, tuple(Object(n, BOX) for n in names), absent=absent)


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
