import pytest

from locvlm.evaluation.metrics import yes_no
from locvlm.evaluation.task import AnswerContext, Question
from locvlm.instructions.base import Instruction
from tests.evaluation.scored import scored

READING = AnswerContext(None, None, ())


@pytest.mark.parametrize(
    ("answer", "yes"),
    [
        ("", True),
        ("Yes, it is.", True),
        ("I know the north", True),  # no word of its own
        ("There is none.", False),
        ("It isn’t.", False),
        ("I CANNOT see it", False),
    ],
)
def test_what_is_a_no(answer, yes):
    for expected in ("yes", "no"):
        question = Question("1", "1.jpg", None, Instruction("hal-act", "?", ""), expected)
        outcome = yes_no.score(question, answer, READING)
        assert outcome.hit == (yes == (expected == "yes"))
        assert outcome.values == {"yes": yes}


def test_scores_by_hand():
    """Of 3 present ones 2 are seen, of 2 absent ones 1 is made up."""
    rows = [
        *(scored("yes", yes, yes=yes) for yes in (True, True, False)),
        *(scored("no", not yes, yes=yes) for yes in (True, False)),
    ]
    figures = {name: score.value for name, score in yes_no.summarize(rows, seed=0).items()}
    assert figures == pytest.approx(
        {
            "accuracy": 3 / 5,
            "accuracy present": 2 / 3,
            "accuracy absent": 1 / 2,
            "precision": 2 / 3,
            "recall": 2 / 3,
            "yes-rate": 3 / 5,
        }
    )
