"""What is said about the objects of a clip: what holds still and can be seen has a box."""

import numpy as np

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box, Frame
from locvlm.pseudo.clip_objects import ClipRow, box_in_view, make_clip_row, thing_categories

CATEGORIES = ("dog", "cat", "car")


def shot(items: tuple[Object, ...], views: list[Frame], cover: np.ndarray | None = None) -> ClipRow:
    image = AnnotatedImage(1, "1.png", 100, 100, items)
    return make_clip_row(image, views, cover, [], (100, 100), 224, CATEGORIES, "still")


STILL = [Frame.identity((100, 100))] * 16


def test_two_of_a_kind_and_crowds_have_no_box() -> None:
    box, other = Box(10, 10, 40, 40), Box(50, 50, 90, 90)
    found = shot((Object("dog", box), Object("dog", other), Object("cat", box)), STILL)
    assert (found.labels, found.unsure, found.absent) == (["cat"], ["dog"], ["car"])
    crowd = shot((Object("dog", box, crowd=True), Object("cat", box)), STILL)
    assert (crowd.labels, crowd.unsure) == (["cat"], ["dog"])


def test_what_is_hidden_or_out_of_view_is_not_shown() -> None:
    view, box = Frame((100, 100), (100, 100), (1.0, 1.0), (-30.0, 0.0)), Box(10, 10, 50, 30)
    assert box_in_view(box, view, None) == Box(0, 10, 20, 30)  # half of it
    assert box_in_view(Box(10, 10, 49, 30), view, None) is None
    assert box_in_view(box, view, np.array((0, 0, 5, 100))) is None
    assert box_in_view(Box(10, 10, 10, 30), view, None) is None  # no area


def test_what_reaches_into_a_thing_comes_along() -> None:
    horse, rider = Object("horse", Box(0, 0, 60, 60)), Object("person", Box(20, 0, 40, 90))
    far = Object("car", Box(60, 0, 90, 60))
    lender = AnnotatedImage(1, "1.png", 100, 100, (horse, rider, far), not_exhaustive=("cow",))
    assert thing_categories(lender, horse) == ["horse", "person", "cow"]


def test_what_moves_may_be_a_second_one() -> None:
    dog = Object("dog", Box(10, 10, 40, 40))
    image = AnnotatedImage(1, "1.png", 100, 100, (dog,))
    found = make_clip_row(image, STILL, None, ["dog", "cat"], (100, 100), 224, CATEGORIES, "still")
    assert (found.labels, found.unsure, found.absent) == ([], ["dog", "cat"], ["car"])
