import pytest

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.evaluation.metrics import first_box
from locvlm.evaluation.task import AnswerContext, Question, ScoredAnswer
from locvlm.geometry import Box, Frame
from locvlm.instructions.base import Instruction

QUESTION = Question(
    "1", "1.jpg", (100, 100), Instruction("x", "Where?", "{loc}", (Box(10, 10, 30, 30),)), ""
)


def score(answer):
    reading = AnswerContext(coordinates.get("ivb", bins=100), Frame.resize((100, 100), 100), ())
    return first_box.score(QUESTION, answer, reading)


@pytest.mark.parametrize("answer", ["", "There is none", "(10,10)", "(30,10,10,30)"])
def test_no_box(answer):
    outcome = score(answer)
    assert (outcome.hit, outcome.found) == (False, None)
    assert outcome.values == {"iou": 0, "parsed": False}


@pytest.mark.parametrize(
    ("answer", "overlap", "hit"),
    [
        ("(10,10,30,30)", 1, True),
        ("(10,10,30,20)", 0.5, True),
        ("(10,10,30,19)", 0.45, False),
        ("(10,20,30,40)", 1 / 3, False),
        ("at (5,5) or (10,10,30,30) or (0,0,9,9)", 1, True),
        ("(0,0,9,9) or (10,10,30,30)", 0, False),
    ],
)
def test_the_first_box_counts(answer, overlap, hit):
    outcome = score(answer)
    assert outcome.values == {"iou": pytest.approx(overlap), "parsed": True}
    assert outcome.hit is hit


def test_the_way_of_writing_must_be_known():
    with pytest.raises(InputError, match="give --format"):
        first_box.score(QUESTION, "(10,10,30,30)", AnswerContext(None, None, ()))


def test_nothing_to_sum_up():
    scores = first_box.summarize([], seed=0)
    assert tuple(scores) == first_box.HEADLINES
    assert {score.n for score in scores.values()} == {0}


def test_answers_without_a_box_count_in_the_mean():
    rows = [
        ScoredAnswer("1", "", "", "", "", {}, (), hit, {"iou": overlap, "parsed": parsed})
        for hit, overlap, parsed in ((True, 0.8, True), (False, 0.0, False))
    ]
    scores = first_box.summarize(rows, seed=0)
    assert [scores[name].value for name in first_box.HEADLINES] == [pytest.approx(0.4), 0.5, 0.5]
