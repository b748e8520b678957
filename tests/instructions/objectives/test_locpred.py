from dataclasses import replace

from locvlm.geometry import Box, Point
from tests.instructions.objectives.asking import ASKED, DOG, FULL, ask, image, questions


def test_single_instances_only() -> None:
    instructions = ask("locpred", FULL)
    assert [item.locations for item in instructions] == [
        (Box(10, 20, 20, 30),),
        (Box(60, 20, 70, 30),),
    ]
    assert {item.answer for item in instructions} == {"It is located at {loc}"}


def test_the_papers_prompts() -> None:
    assert questions("locpred", image(DOG)) == ASKED


def test_point() -> None:
    (item,) = ask("locpred", image(DOG), "point")
    assert (item.locations, item.kind) == ((Point(15, 25),), "point")


def test_what_has_more_instances_than_boxes_is_not_asked_for() -> None:
    (item,) = ask("locpred", replace(FULL, not_exhaustive=("dog",)))
    assert item.category == "cat"


def test_both() -> None:
    instructions = [item for seed in range(60) for item in ask("locpred", image(DOG), "both", seed)]
    assert {(item.locations, item.kind) for item in instructions} == {
        ((Point(15, 25),), "point"),
        ((Box(10, 20, 20, 30),), "box"),
    }
