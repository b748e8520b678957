import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.evaluation.metrics import exact_match
from locvlm.evaluation.questions import clips
from locvlm.evaluation.task import AnswerContext, ScoredAnswer

NOTHING = AnswerContext(None, None, ())


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("", ""),
        (" .!? ", ""),
        ("Yes", "yes"),
        ("  playing \n guitar. ", "playing guitar"),
        ("two !", "two"),
        ("t-shirt", "t-shirt"),
        ("no.3", "no.3"),
        (".net", ".net"),
        ("a, b", "a, b"),
        ("the dog", "the dog"),
        ("ÉTÉ…", "été…"),
    ],
)
def test_tidy(text: str, tidied: str) -> None:
    assert exact_match.tidy(text) == tidied


@given(st.text())
def test_tidy_is_tidy(text: str) -> None:
    once = exact_match.tidy(text)
    assert exact_match.tidy(once) == once
    assert exact_match.tidy(f" {text}.") == once


@pytest.mark.parametrize(
    ("answer", "hit", "verbatim"),
    [
        ("dog", True, True),
        ("Dog.", True, False),
        ("a dog", False, False),
        ("dogs", False, False),
        ("", False, False),
    ],
)
def test_score(answer: str, hit: bool, verbatim: bool) -> None:
    question = clips.make_question("msvd-qa", "1", "vid1.avi", "what runs?", "dog", type="what")
    outcome = exact_match.score(question, answer, NOTHING)
    assert (outcome.hit, outcome.values["verbatim"]) == (hit, verbatim)


def row(type: str, hit: bool, verbatim: bool) -> ScoredAnswer:
    values = {"verbatim": verbatim}
    return ScoredAnswer("1", "a", "?", "x", "y", {"type": type}, (), hit, values)


def test_summary() -> None:
    rows = [row("what", True, True), row("what", True, False), row("who", False, False)]
    scores = exact_match.summarize(rows, ("what", "who", "how"))
    assert {name: (score.value, score.n) for name, score in scores.items()} == {
        "accuracy": (2 / 3, 3),
        "verbatim accuracy": (1 / 3, 3),
        "type/what": (1.0, 2),
        "type/who": (0.0, 1),
        "type/how": (None, 0),
    }


def test_nothing_to_sum_up() -> None:
    assert {score.n for score in exact_match.summarize([], ("what",)).values()} == {0}
