"""What fits into the minutes, and what a folder remembers of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.demo.plan import (
    STEPS,
    TUNING,
    DemoPlan,
    DemoState,
    QuestionChunk,
    make_plan,
    open_state,
)
from locvlm.errors import InputError

SIDES = [QuestionChunk(30, 4), QuestionChunk(20, 5), QuestionChunk(10, 5)]
PLACES = [QuestionChunk(32, 13), QuestionChunk(32, 12)]
CHUNKS = {"sides": SIDES, "places": PLACES}
FIRST = {"sides": 30.0, "places": 64.0}  # a second and two per question


def plan(seconds: float, step: float = 10) -> DemoPlan:
    return make_plan(seconds, step, 16, CHUNKS, FIRST)


def test_all_fits() -> None:
    made = plan(1000)
    assert (made.steps, made.asked, made.askable) == (16, 124, 124)
    assert made.tuning == 160
    assert made.asking == 20 + 10 + 64  # the first ones have been asked already
    assert made.lacking == 0
    assert made.more == 0


def test_what_is_left_when_all_is_asked_goes_to_the_tuning() -> None:
    assert plan(94 + 130).steps == 13  # 0.3 of it would be 6


def test_nothing_fits() -> None:
    made = plan(-50)
    assert made.steps == STEPS
    assert [part.pictures for part in made.tasks.values()] == [4, 13]
    assert made.asking == 0
    assert made.lacking == STEPS * 10 + 50
    assert made.more == 6  # minutes: 12 steps, 94 seconds of questions, and what is lacking


def test_the_task_that_is_asked_least_comes_first() -> None:
    # At first half of each; then of sides 50 of 60, and the next are the places, which do not fit
    made = plan(100)
    assert {task: part.questions for task, part in made.tasks.items()} == {
        "sides": 50,
        "places": 32,
    }
    assert list(made.rows())[1] == ("sides", "50 of 60 questions", "9 of 14 photos")


chunk_lists = st.lists(st.builds(QuestionChunk, st.integers(1, 40), st.integers(1, 20)), min_size=1)


@given(
    seconds=st.floats(-1e4, 1e6),
    step=st.floats(0.01, 1e4),
    tasks=st.lists(st.tuples(chunk_lists, st.floats(0.01, 1e4)), min_size=1, max_size=4),
)
def test_any_machine(
    seconds: float, step: float, tasks: list[tuple[list[QuestionChunk], float]]
) -> None:
    chunks = {str(i): of for i, (of, _) in enumerate(tasks)}
    first = {str(i): cost for i, (_, cost) in enumerate(tasks)}
    made = make_plan(seconds, step, 16, chunks, first)
    assert STEPS <= made.steps <= 16
    least = STEPS * step
    assert made.tuning + made.asking <= max(seconds, least) * (1 + 1e-9)
    assert (made.lacking > 0) == (made.tuning + made.asking > seconds)
    if made.lacking:
        assert made.steps == STEPS
        assert made.asking == 0
    if made.steps > max(STEPS, int(max(seconds, 0) * TUNING / step)):
        assert made.asked == made.askable
    for task, part in made.tasks.items():
        counts = [
            sum(c.questions for c in chunks[task][:n]) for n in range(1, len(chunks[task]) + 1)
        ]
        assert part.questions in counts
        assert part.all_questions == counts[-1]
    assert made.all_seconds >= made.tuning + made.asking - 1e-6 * abs(made.all_seconds)


class TestFolder:
    def test_a_new_one(self, tmp_path: Path) -> None:
        assert open_state(tmp_path, None, 10).minutes == 10
        assert open_state(tmp_path, 3, 10).minutes == 3

    def test_one_that_goes_on(self, tmp_path: Path) -> None:
        state = DemoState(3, {"visit": 2.5}, plan(100))
        state.write(tmp_path)
        assert open_state(tmp_path, None, 10) == state
        assert open_state(tmp_path, 3, 10) == state

    def test_other_minutes(self, tmp_path: Path) -> None:
        DemoState(3).write(tmp_path)
        with pytest.raises(InputError, match="holds a demo of 3 minutes"):
            open_state(tmp_path, 4, 10)

    def test_files_of_something_else(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(InputError, match="holds other files"):
            open_state(tmp_path, None, 10)

    def test_a_torn_file(self, tmp_path: Path) -> None:
        (tmp_path / "demo.json").write_text("{")
        with pytest.raises(InputError, match=r"demo\.json"):
            open_state(tmp_path, None, 10)
