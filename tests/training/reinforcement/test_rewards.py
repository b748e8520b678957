"""What answers earn: bounds, what is perfect, and coordinates read in the right frame."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from locvlm import coordinates
from locvlm.geometry import Box, Frame, coords_of
from locvlm.geometry import iou as ious
from locvlm.instructions.objectives import locpred, negpred
from locvlm.training.reinforcement.rewards import REWARDS, Truth, iou, presence, well_formed

IVB = coordinates.get("ivb", bins=224)
SIZE = (640, 400)
SQUASHED, PADDED = Frame.resize(SIZE, 224), Frame.pad_to_square(SIZE, 224)
DOG = Truth(Box(100, 50, 300, 350), negpred.ANSWER, SQUASHED)
NONE = Truth(None, negpred.ANSWER, SQUASHED)

boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.floats(0, 400),
    st.floats(0, 250),
    st.floats(40, 240),
    st.floats(40, 150),
)
texts = st.one_of(
    st.text(),
    st.text("()[],0123456789.- "),
    boxes.map(lambda box: locpred.ANSWER.format(loc=IVB.encode(box, SQUASHED))),
    st.sampled_from(["", "(1,2)", "(4,4,2,2)", negpred.ANSWER, "No."]),
)


def answer(box: Box, frame: Frame = SQUASHED) -> str:
    return locpred.ANSWER.format(loc=IVB.encode(box, frame))


@given(st.lists(texts, max_size=3).map(" ".join), st.sampled_from([DOG, NONE]))
def test_between_nothing_and_one(text: str, truth: Truth) -> None:
    for reward in REWARDS.values():
        earned = reward(text, truth, IVB)
        assert earned is None or 0 <= earned <= 1


@pytest.mark.parametrize("text", ["", " ", "a dog", "()", "(1,2,3)", "(9,9,1,1)"])
def test_an_answer_without_a_place_earns_nothing(text: str) -> None:
    for truth in (DOG, NONE):
        assert not any(reward(text, truth, IVB) for reward in REWARDS.values())


@given(boxes, st.sampled_from([SQUASHED, PADDED]))
def test_the_right_answer_earns_all(box: Box, frame: Frame) -> None:
    truth = Truth(box, negpred.ANSWER, frame)
    text = answer(box, frame)
    assert well_formed(text, truth, IVB) == presence(text, truth, IVB) == 1
    assert iou(text, truth, IVB) > 0.8  # whole numbers of 224


@pytest.mark.parametrize("end", ["", ".", " "])
def test_the_right_sentence_about_what_is_absent(end: str) -> None:
    text = negpred.ANSWER + end
    assert iou(text, NONE, IVB) is None
    assert well_formed(text, NONE, IVB) == presence(text, NONE, IVB) == 1
    assert (iou(text, DOG, IVB), well_formed(text, DOG, IVB), presence(text, DOG, IVB)) == (0, 0, 0)


@given(boxes)
def test_coordinates_of_another_frame_earn_less(box: Box) -> None:
    elsewhere = SQUASHED.invert(PADDED.apply(box))
    assume(ious(coords_of(elsewhere), coords_of(box))[0, 0] < 0.75)
    truth = Truth(box, negpred.ANSWER, SQUASHED)
    assert iou(answer(box, PADDED), truth, IVB) < iou(answer(box), truth, IVB)


def test_the_first_box_counts_and_a_second_is_bad_form() -> None:
    two = answer(DOG.box) + " " + answer(Box(0, 0, 10, 10))
    assert iou(two, DOG, IVB) > 0.9
    assert well_formed(two, DOG, IVB) == 0
    assert presence(two, DOG, IVB) == 1


@pytest.mark.parametrize("place", ["(0,0,300,100)", "(0,0,50,50) (9,9,1,1)", "(10,20)"])
def test_a_place_that_is_clipped_broken_or_no_box_is_bad_form(place: str) -> None:
    assert well_formed(f"It is located at {place}", DOG, IVB) == 0


def test_who_says_both_says_nothing() -> None:
    both = answer(DOG.box) + ". " + negpred.ANSWER
    assert [presence(both, truth, IVB) for truth in (DOG, NONE)] == [0, 0]
    assert [well_formed(both, truth, IVB) for truth in (DOG, NONE)] == [0, 0]


def test_a_sentence_of_ones_own_for_what_is_absent() -> None:
    truth = Truth(None, "I see none", SQUASHED)
    assert presence("I see none.", truth, IVB) == well_formed("I see none.", truth, IVB) == 1
    assert well_formed(negpred.ANSWER, truth, IVB) == 0
    assert presence(negpred.ANSWER, truth, IVB) == 1


def test_a_place_for_what_is_absent_is_wrong() -> None:
    assert presence(answer(Box(0, 0, 50, 50)), NONE, IVB) == 0
