"""How many absences are asked about, and that they do not outnumber what is there."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.absence_range import ABSENCES, parse_absences
from locvlm.instructions.build import QuestionOptions, build, choose_absences
from locvlm.instructions.filters import ObjectLimits
from locvlm.instructions.negatives import NegativeChoice

KINDS = tuple(f"thing {number}" for number in range(20))
PAPER = ("locpred", "negpred", "revloc")


def shop(*counts: int, size: int = 60, columns: bool = False) -> AnnotationSet:
    """A picture for each of the counts, with so many things of different kinds, as a shop has."""
    chance = random.Random("shop")
    images = [
        AnnotatedImage(
            number,
            f"{number}.jpg",
            640,
            480,
            tuple(Object(kind, Box(0, 0, size, size)) for kind in chance.sample(KINDS, count)),
        )
        for number, count in enumerate(counts)
    ]
    whole = ColumnarImages.of(images, KINDS) if columns else images
    return AnnotationSet(whole, KINDS, Path("shop.json"))


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize(
    ("counts", "names", "expected"),
    [
        ([1] * 30, PAPER, (2, 8)),  # one locpred and one revloc each
        ([1] * 30, ("locpred", "negpred"), (1, 8)),
        ([2] * 30, PAPER, ABSENCES),
        ([7] * 30, PAPER, ABSENCES),
        ([1] * 20 + [5] * 10, PAPER, ABSENCES),  # 140 are there, 130 are not
        ([0] * 30, PAPER, (1, 8)),
        ([1] * 30, ("locpred", "revloc"), ABSENCES),  # nothing to balance
        ([1] * 30, ("negpred", "category"), ABSENCES),
    ],
)
def test_the_range(
    counts: list[int], names: tuple[str, ...], expected: tuple[int, int], columns: bool
) -> None:
    assert choose_absences(shop(*counts, columns=columns), QuestionOptions(names)) == expected


def test_what_is_not_asked_about_is_not_there() -> None:
    assert choose_absences(shop(*[5] * 30), QuestionOptions(PAPER)) == ABSENCES
    few = QuestionOptions(PAPER, limits=ObjectLimits(min_area=0.1))
    assert choose_absences(shop(*[5] * 30), few) == (1, 8)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=30))
def test_absences_do_not_outnumber_what_is_there(counts: list[int]) -> None:
    data = shop(*counts)
    chosen = choose_absences(data, QuestionOptions(PAPER))
    made = build(data, QuestionOptions(PAPER, absences=chosen)).counts
    asked = build(data, QuestionOptions(PAPER)).counts
    assert made["negpred"] <= made["locpred"] + made["revloc"] or chosen[0] == 1
    if asked["negpred"] <= asked["locpred"] + asked["revloc"]:
        assert chosen == ABSENCES


@pytest.mark.parametrize("negatives", ["random", "popular", "adversarial"])
def test_fewer_are_among_more(negatives: NegativeChoice) -> None:
    data = shop(1, 3, 5, 0)
    before, fewer = dict[str, list[str]](), Counter[str]()
    for most in range(1, 9):
        options = QuestionOptions(("negpred",), absences=(most, most), negatives=negatives, seed=3)
        made = build(data, options).conversations
        for row in made:
            assert len(row.instructions) == most
            now = [item.question for item in row.instructions]
            if negatives == "random":  # to the word
                assert now[: most - 1] == before.get(row.image, [])
            before[row.image] = now
        kinds = Counter(item.category for row in made for item in row.instructions)
        assert kinds >= fewer
        fewer = kinds


@pytest.mark.parametrize(
    ("text", "expected"), [("3", (3, 3)), ("4-8", (4, 8)), ("1-1", (1, 1)), (" 2 - 5", (2, 5))]
)
def test_a_number_or_a_range(text: str, expected: tuple[int, int]) -> None:
    assert parse_absences(text) == expected


@pytest.mark.parametrize("text", ["", "0", "8-4", "a", "-3", "1-2-3", "1.5", "0-4", "²"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--absences"):
        parse_absences(text)
