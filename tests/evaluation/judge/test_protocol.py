import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation.judge import protocol
from locvlm.evaluation.judge.protocol import (
    PLACEHOLDERS,
    PROMPT,
    Case,
    Verdict,
    read_prompt,
    read_verdict,
    render_prompt,
)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("{'pred': 'yes', 'score': 4.8}", Verdict(True, 4)),
        ('{"pred": "no", "score": 0}', Verdict(False, 0)),
        ("{'pred': 'Yes', 'score': '5'}", Verdict(True, 5)),
        ("{'score': 2, 'pred': 'NO'}", Verdict(False, 2)),
        ("{'pred': yes, 'score': 3}", Verdict(True, 3)),
        ("```python\n{'pred': 'yes',\n 'score': 5,}\n```", Verdict(True, 5)),
        ("Like {'pred': 'yes', 'score': 4}? No: {'pred': 'no', 'score': 1}", Verdict(False, 1)),
        ("{'pred': 'yes', 'score': 4} {}", Verdict(True, 4)),
        ("", None),
        ("yes, 5", None),
        ("{'pred': 'yes'}", None),
        ("{'score': 5}", None),
        ("{'pred': 'maybe', 'score': 3}", None),
        ("{'pred': 'yesterday', 'score': 3}", None),
        ("{'pred': 'yes', 'score': 6}", None),
        ("{'pred': 'yes', 'score': 5.1}", None),
        ("{'pred': 'yes', 'score': -1}", None),
        ("{'pred': 'yes', 'score': 4/5}", None),
        ("{'pred': 'yes', 'score': None}", None),
        ("{'pred': 'yes', 'score': 4", None),
    ],
)
def test_replies(reply: str, verdict: Verdict | None) -> None:
    assert read_verdict(reply) == verdict


@given(st.text())
def test_any_reply_is_read_or_not(reply: str) -> None:
    assert read_verdict(reply) is None or "{" in reply


@given(st.text(), st.booleans(), st.integers(0, 5), st.sampled_from("'\""))
def test_a_verdict_is_found_after_any_words(before: str, yes: bool, score: int, mark: str) -> None:
    word = "yes" if yes else "no"
    reply = f"{before}\n{{{mark}pred{mark}: {mark}{word}{mark}, {mark}score{mark}: {score}}}"
    assert read_verdict(reply) == Verdict(yes, score)


def test_many_braces_are_no_burden() -> None:
    assert read_verdict("{" * 100_000) is None
    assert read_verdict("{'pred': " * 20_000) is None


def test_the_prompt_shows_what_is_judged() -> None:
    asked = render_prompt(PROMPT, Case("who runs?", "a man", "someone"))
    assert "Question: who runs?\nCorrect answer: a man\nAnswer of the system: someone\n" in asked
    assert not any(place in asked for place in PLACEHOLDERS)
    assert read_verdict(asked) == Verdict(True, 4)  # its example is in the form that is read


def test_a_case_is_not_filled_in_again() -> None:
    case = Case("{answer}", "{prediction}", r"\1 {question}")
    assert (
        render_prompt("{question}|{answer}|{prediction}", case)
        == r"{answer}|{prediction}|\1 {question}"
    )


def test_our_prompt_is_a_file_to_begin_with() -> None:
    template = Path(protocol.__file__).with_name("prompt.txt")
    assert read_prompt(template) == PROMPT
    verdict = read_verdict(PROMPT)  # the form that it asks for is one that is read
    assert verdict is not None and verdict.score == 4


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_text("{question} {answer} {prediction} {'pred': 'yes'}")
    assert read_prompt(path) == "{question} {answer} {prediction} {'pred': 'yes'}"
    path.write_text("{question} {prediction}")
    with pytest.raises(InputError, match=r"prompt.txt: has no \{answer\}; the judge needs"):
        read_prompt(path)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        read_prompt(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_prompt(tmp_path / "none.txt")


LONG = " " * 24_000  # as JSON modes write them


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (f'{{"pred":{LONG}"{LONG}yes", "score":{LONG}"{LONG}4{LONG}"{LONG}}}', Verdict(True, 4)),
        (f'{{"pred": "no", "score": 0{LONG}, "why": ""}}', Verdict(False, 0)),
        (f'{{"pred": {LONG}maybe", "score": 4}}', None),
        (f'{{"pred": "yes", "score": {LONG}?}}', None),
        (f'{{"pred": "yes", "score": 4{LONG}?}}', None),
        (f'{{"pred": "yes", "score": 4{LONG}', None),
    ],
)
def test_long_runs_of_spaces_take_no_time(reply: str, verdict: Verdict | None) -> None:
    begin = time.process_time()
    assert read_verdict(reply) == verdict
    assert time.process_time() - begin < 0.5
