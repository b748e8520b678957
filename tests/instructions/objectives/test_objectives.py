import random

import pytest

from locvlm.errors import InputError
from locvlm.instructions import objectives
from locvlm.instructions.objectives import LocationChoice, QuestionContext
from tests.instructions.objectives.asking import FULL, ask, image


def test_names() -> None:
    paper = {"locpred", "negpred", "revloc"}
    ours = {"caption", "category", "multiple", "presence", "spatial"}
    assert objectives.names() == sorted(paper | ours)


def test_unknown_name() -> None:
    with pytest.raises(InputError, match=r"unknown objective 'loc'; known: caption, category"):
        objectives.get("loc")


@pytest.mark.parametrize("name", objectives.names())
def test_nothing_gives_nothing(name: str) -> None:
    assert objectives.get(name).ask(image(), QuestionContext(), random.Random(0)) == []


@pytest.mark.parametrize("name", objectives.names())
@pytest.mark.parametrize("kind", ["box", "point", "both"])
def test_same_seed_same_instructions(name: str, kind: LocationChoice) -> None:
    whole = image(*FULL.objects, captions=("One.", "Two."))
    instructions = ask(name, whole, kind, seed=3)
    assert instructions == ask(name, whole, kind, seed=3)
    assert instructions
    assert {item.objective for item in instructions} == {name}
