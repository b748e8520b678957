import random
import re

import pytest

from locvlm.instructions import objectives
from locvlm.instructions.objectives import QuestionContext
from tests.instructions.objectives.asking import ASKED, DOG, FULL, ask, image, thing


def test_crowds_are_present() -> None:
    for seed in range(30):
        for item in ask("negpred", FULL, seed=seed):
            assert not re.search(r"\b(dog|cat|person|chair)\b", item.question)
            assert item.answer == "There is no such object in the image"
            assert item.locations == ()


def test_the_papers_prompts_are_locpreds() -> None:
    negpred = objectives.get("negpred")
    asked = {
        negpred.ask(image(), QuestionContext(("dog",)), random.Random(i))[0].question
        for i in range(60)
    }
    assert asked == ASKED


@pytest.mark.parametrize(("singles", "expected"), [(0, 4), (4, 4), (5, 5), (9, 8)])
def test_how_many(singles: int, expected: int) -> None:
    known = [f"thing {i}" for i in range(40)]
    whole = image(*(thing(known[i], 2 * i, 0) for i in range(singles)))
    instructions = objectives.get("negpred").ask(whole, QuestionContext(known), random.Random(0))
    assert len({item.question.split("described")[1] for item in instructions}) == expected


def test_no_more_than_are_absent() -> None:
    instructions = objectives.get("negpred").ask(
        image(DOG), QuestionContext(("dog", "cat"), "point"), random.Random(0)
    )
    assert len(instructions) == 1
    assert "cat" in instructions[0].question
    assert instructions[0].kind == "point"
