"""Thoughts are no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.coordinates.answers import find_answer

THOUGHT = 'First {"bbox_2d": [6, 6, 9, 9]}, no.'


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("<think>", "</think>"),
        ("<thinking>\n", "\n</thinking>\n\n"),
        ("", "</think>"),  # the chat template wrote the beginning
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("◁think▷", "◁/think▷"),
        ("[THINK]", "[/THINK]"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("<|channel>thought\n", "<channel|>"),
        ("<think>a</think><think>", "</think>"),
    ],
)
def test_what_follows_a_thought(start: str, end: str) -> None:
    assert find_answer(f"{start}{THOUGHT}{end}At [1, 2].").strip() == "At [1, 2]."
    assert find_answer(f"{start}{THOUGHT}{end}<answer>At [1, 2].</answer>") == "At [1, 2]."


@pytest.mark.parametrize("start", ["<think>", "<THINK>", "<|channel|>analysis<|message|>"])
def test_a_thought_without_an_end_is_no_answer(start: str) -> None:
    assert find_answer(start + THOUGHT) == ""


def test_what_stands_before_a_thought_stays() -> None:
    assert find_answer("At [1, 2]. <think>Was it?</think>") == "At [1, 2]. "


@given(st.text(st.characters(exclude_characters="<◁["), max_size=40))
def test_a_text_without_thoughts_is_the_answer(text: str) -> None:
    assert find_answer(text) == text
