"""Which questions are asked together."""

import pytest

from locvlm.evaluation.ask_model import batch_questions
from locvlm.evaluation.task import Question
from locvlm.instructions.base import Instruction


@pytest.mark.parametrize(
    ("side", "sizes"), [(600, [512, 188]), (4000, [62] * 11 + [18]), (40_000, [1] * 700)]
)
def test_large_pictures_are_not_all_in_memory(side, sizes):
    about = Instruction("t", "?", "!")
    groups = [[Question(str(i), f"{i}.png", (side, side), about, "!")] for i in range(700)]
    chunks = list(batch_questions(groups, at_once=512))
    assert list(map(len, chunks)) == sizes
    assert [group for chunk in chunks for group in chunk] == groups


def question(number: int, clip: str) -> Question:
    return Question(str(number), clip, None, Instruction("t", "?", "!"), "!")


@pytest.mark.parametrize(
    ("frames", "sizes"),
    [(None, [32, 8]), (1, [32, 8]), (8, [8] * 5), (64, [1] * 40), (99, [1] * 40)],
)
def test_few_frames_are_in_memory_together(frames: int | None, sizes: list[int]) -> None:
    groups = [[question(number, f"{number}.mp4")] for number in range(40)]
    chunks = list(batch_questions(groups, frames))
    assert list(map(len, chunks)) == sizes
    assert [group for chunk in chunks for group in chunk] == groups


def test_together_of_nothing() -> None:
    assert list(batch_questions([], 8)) == []
