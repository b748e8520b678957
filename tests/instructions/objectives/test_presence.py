import random
from dataclasses import replace

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions import objectives
from locvlm.instructions.objectives import QuestionContext
from tests.instructions.objectives.asking import FULL, ask, image, thing


def test_it_asks_about_as_many_present_as_absent():
    whole = AnnotatedImage(
        1,
        "1.jpg",
        100,
        100,
        (
            Object("dog", Box(0, 0, 10, 10)),
            Object("dog", Box(20, 0, 60, 40)),
            Object("cat", Box(0, 0, 5, 5), crowd=True),
        ),
    )
    instructions = objectives.get("presence").ask(
        whole, QuestionContext(("dog", "cat", "bird")), random.Random(0)
    )
    assert [item.answer.split(",")[0] for item in instructions] == ["Yes", "No"]
    assert instructions[0].locations == (Box(20, 0, 60, 40),)
    assert instructions[0].evidence == (Box(0, 0, 10, 10), Box(20, 0, 60, 40))
    assert "bird" in instructions[1].question


def test_it_does_not_ask_about_a_crowd() -> None:
    things = (thing("dog", 0, 0), thing("dog", 50, 50, crowd=True), thing("cat", 20, 20))
    for seed in range(20):
        instructions = ask("presence", image(*things), seed=seed)
        assert [item.category for item in instructions if item.locations] == ["cat"]
        assert all(item.category != "dog" for item in instructions)


def test_it_does_not_ask_about_what_may_have_no_box() -> None:
    for seed in range(9):
        instructions = ask("presence", replace(FULL, not_exhaustive=("dog",)), seed=seed)
        assert instructions
        assert "dog" not in {item.category for item in instructions}
