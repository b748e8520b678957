from dataclasses import replace

from tests.instructions.objectives.asking import DOG, ask, image, thing


def test_largest_first_each_once() -> None:
    whole = image(
        thing("dog", 0, 0, 5), thing("cat", 0, 0, 9), thing("dog", 0, 0, 20), thing("cup", 0, 0)
    )
    (item,) = ask("category", whole)
    assert (item.question, item.answer) == ("What objects are in this image?", "dog, cup, cat")


def test_none_where_not_everything_was_looked_for() -> None:
    assert ask("category", replace(image(DOG), absent=("cat",))) == []


def test_none_where_something_has_no_box() -> None:
    assert ask("category", replace(image(DOG), not_exhaustive=("cat",))) == []
    (item,) = ask("category", replace(image(DOG), not_exhaustive=("dog",)))
    assert item.answer == "dog"


def test_crowds_are_named() -> None:
    (item,) = ask("category", image(thing("chair", 0, 0, crowd=True)))
    assert item.answer == "chair"
