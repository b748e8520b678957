from dataclasses import replace

import pytest

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.evaluation.metrics import first_box
from locvlm.evaluation.task import AnswerContext, Mark, Question, ScoredAnswer
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
    assert outcome.values == {"iou": 0, "parsed": False, "not there": answer == "There is none"}


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
    assert tuple(scores) == (*first_box.HEADLINES, "not there rate", "unparsed rate")
    assert {score.n for score in scores.values()} == {0}


def test_answers_without_a_box_count_in_the_mean():
    rows = [
        ScoredAnswer("1", "", "", "", "", {}, (), hit, {"iou": overlap, "parsed": parsed})
        for hit, overlap, parsed in ((True, 0.8, True), (False, 0.0, False))
    ]
    scores = first_box.summarize(rows, seed=0)
    assert [scores[name].value for name in first_box.HEADLINES] == [pytest.approx(0.4), 0.5, 0.5]


def test_not_there_stands_beside_parsed_and_unparsed():
    known = [{"parsed": True}, *({"parsed": False, "not there": said} for said in (True, False))]
    known.append(known[0])
    rows = [
        ScoredAnswer(str(i), "", "", "", "", {}, (), False, {"iou": 0.0, **values})
        for i, values in enumerate(known)
    ]
    scores = first_box.summarize(rows, seed=0)
    rates = {name: score.value for name, score in scores.items() if name.endswith("rate")}
    assert rates == {"parse rate": 0.5, "not there rate": 0.25, "unparsed rate": 0.25}
    older = replace(rows[2], values={"iou": 0.0, "parsed": False})  # it was not kept then
    scores = first_box.summarize([*rows, older], seed=0)
    assert scores["parse rate"].value == 0.4
    assert scores["not there rate"].value is scores["unparsed rate"].value is None


def test_the_best_of_several():
    several = replace(
        QUESTION, marks=(Mark("a", (60, 60, 90, 90)), Mark("a", (10, 10, 30, 30))), id="2"
    )
    reading = AnswerContext(coordinates.get("ivb", bins=100), Frame.resize((100, 100), 100), ())
    for answer, overlap in (("(60,60,90,90)", 1), ("(10,10,30,20)", 0.5), ("(0,0,5,5)", 0)):
        outcome = first_box.score(several, answer, reading)
        assert (outcome.values["iou"], outcome.hit) == (pytest.approx(overlap), overlap >= 0.5)
