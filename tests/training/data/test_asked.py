"""What is asked and what there is."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.training.data.asked import check_asked, find_unasked
from locvlm.training.recipe import Recipe, Stage

HELD = {
    Path("coco"): {"locpred": 1200, "negpred": 0, "revloc": 3},
    Path("voc"): {"locpred": 5, "caption": 2},
}


def recipe(**questions: Mapping[str, int]) -> Recipe:
    stages = {name: Stage("lora", 1, questions=dict(asked)) for name, asked in questions.items()}
    return Recipe(data=("coco", "voc"), out="out", model="tiny", stages=stages)


def test_one_data_set_that_has_it_is_enough() -> None:
    asks = recipe(a={"locpred": 1, "caption": 2}, b={"revloc": 1})
    check_asked(asks, HELD)
    assert find_unasked(asks, HELD) == []


def test_all_that_is_missing_is_said_at_once() -> None:
    asks = recipe(a={"locpred": 4, "negpred": 2}, b={"revloc": 1}, c={"spatial": 3, "revloc": 1})
    with pytest.raises(InputError) as refused:
        check_asked(asks, HELD)
    assert str(refused.value) == (
        "the data sets have no questions of negpred, spatial, which stages a, c ask; build them "
        "with --objectives that include these, or ask what they have: caption (2), locpred "
        "(1,205), revloc (3) (--set 'stages.a.questions={locpred: 4}' "
        "--set 'stages.c.questions={revloc: 1}')"
    )


def test_nothing_of_it_is_there() -> None:
    with pytest.raises(InputError, match=r"what they have: caption \(2\), .*revloc \(3\)$"):
        check_asked(recipe(a={"mixed": 1}), HELD)


def test_data_sets_that_are_asked_nothing() -> None:
    assert find_unasked(recipe(a={"revloc": 1}), HELD) == [
        "voc: none of its questions is asked; it has: caption, locpred"
    ]
    naming = Recipe(data=(), out="o", model="tiny", stages={"n": Stage("naming", 1)})
    check_asked(naming, HELD)
    assert find_unasked(naming, HELD) == []
