from locvlm.geometry import Box, Point
from tests.instructions.objectives.asking import DOG, FULL, ask, image, questions

DESCRIBE = {
    "Describe the object located at {loc}?",
    "Provide a caption for object at {loc}?",
    "What is at location {loc} in image?",
}


def test_all_but_crowds() -> None:
    instructions = ask("revloc", FULL)
    assert [(item.answer, item.locations[0]) for item in instructions] == [
        ("There is a dog.", Box(10, 20, 20, 30)),
        ("There is a cat.", Box(60, 20, 70, 30)),
        ("There is a person.", Box(0, 0, 10, 10)),
        ("There is a person.", Box(80, 80, 90, 90)),
    ]


def test_the_papers_prompts() -> None:
    assert questions("revloc", image(DOG)) == DESCRIBE


def test_point() -> None:
    (item,) = ask("revloc", image(DOG), "point")
    assert (item.locations, item.kind) == ((Point(15, 25),), "point")
