import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.evaluation.metrics.absence import says_none
from locvlm.instructions.objectives import locpred, negpred


@pytest.mark.parametrize(
    "answer",
    [
        negpred.ANSWER,
        "There is no such object in this picture.",
        "None.",
        "There are no dogs here",
        "The dog is not visible in the image.",
        "I don't see a dog.",
        "It isn’t there",
        "Nothing was found.",
        "[]",
        " [ ]\n",
        "```json\n[]\n```",
        "[[]]",
        "{}",
        "null",
        '```json\n[{"bbox_2d": [], "label": "dog"}]\n```',
        '{"bbox": null}',
    ],
)
def test_it_is_not_there(answer):
    assert says_none(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "(10,10)",
        "a dog",
        "I have no idea",
        "In the notebook, another knot.",
        "It is located at (0.1,0.1,0.2",
        "Not sure. In the corner.",
        "[5, 6",
        '[{"bbox_2d": [1, 2], "label": "none such"}]'.replace("none such", "dog"),
        locpred.ANSWER,
    ],
)
def test_nothing_is_said(answer):
    assert not says_none(answer)


@given(st.text())
def test_any_text_can_be_read(answer):
    assert says_none(answer) in (True, False)


@pytest.mark.parametrize("answer", ["[" + " " * 24_000 + "!", '"bbox": [' + " " * 24_000 + "!"])
def test_long_runs_take_no_time(answer: str) -> None:
    begin = time.process_time()
    assert not says_none(answer)
    assert time.process_time() - begin < 0.5
