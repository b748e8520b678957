"""What fits into the minutes."""

from hypothesis import given
from hypothesis import strategies as st

from locvlm.tuning.budget import STEPS, Cost, QuestionChunk, TunePlan, make_plan

SIDES = [QuestionChunk(30, 4), QuestionChunk(20, 5), QuestionChunk(10, 5)]
PLACES = [QuestionChunk(32, 13), QuestionChunk(32, 12)]
CHUNKS = {"sides": SIDES, "places": PLACES}
FIRST = {"sides": 30.0, "places": 64.0}  # a second and two per question
SHARE = 0.3


def plan(seconds: float, step: float = 10, asked: dict[str, float] = FIRST) -> TunePlan:
    return make_plan(seconds, Cost(step, FIRST, asked), 16, CHUNKS, SHARE)


def test_all_fits() -> None:
    made = plan(1000)
    assert (made.steps, made.asked, made.askable) == (16, 124, 124)
    assert made.training == 160
    assert made.asking == 20 + 10 + 64  # the first ones have been asked already
    assert made.lacking == 0
    assert made.more == 0
    assert made.is_whole


def test_what_is_left_when_all_is_asked_goes_to_the_training() -> None:
    assert plan(94 + 130).steps == 13  # 0.3 of it would be 6


def test_nothing_fits() -> None:
    made = plan(-50)
    assert made.steps == STEPS
    assert [part.images for part in made.tasks.values()] == [4, 13]
    assert made.asking == 0
    assert made.lacking == STEPS * 10 + 50
    assert made.more == 6  # minutes: 12 steps, 94 seconds of questions, and what is lacking
    assert not made.is_whole


def test_the_task_that_is_asked_least_comes_first() -> None:
    # At first half of each; then of sides 50 of 60, and the next are the places, which do not fit
    made = plan(100)
    assert {task: part.questions for task, part in made.tasks.items()} == {
        "sides": 50,
        "places": 32,
    }
    assert list(made.rows())[1] == ("sides", "50 of 60 questions", "9 of 14 photos")


def test_what_another_model_is_still_to_be_asked_counts() -> None:
    half = {task: seconds / 2 for task, seconds in FIRST.items()}  # one of two models was asked
    made = plan(1000, asked=half)
    assert made.asking == 20 + 10 + 64 + (30 + 64) / 2
    assert plan(-50, asked=half).lacking == STEPS * 10 + 50 + 47


chunk_lists = st.lists(st.builds(QuestionChunk, st.integers(1, 40), st.integers(1, 20)), min_size=1)


@given(
    seconds=st.floats(-1e4, 1e6),
    step=st.floats(0.01, 1e4),
    tasks=st.lists(
        st.tuples(chunk_lists, st.floats(0.01, 1e4), st.floats(0, 1)), min_size=1, max_size=4
    ),
    share=st.floats(0.1, 0.9),
)
def test_any_machine(
    seconds: float,
    step: float,
    tasks: list[tuple[list[QuestionChunk], float, float]],
    share: float,
) -> None:
    chunks = {str(i): of for i, (of, _, _) in enumerate(tasks)}
    first = {str(i): cost for i, (_, cost, _) in enumerate(tasks)}
    asked = {str(i): cost * part for i, (_, cost, part) in enumerate(tasks)}
    made = make_plan(seconds, Cost(step, first, asked), 16, chunks, share)
    assert STEPS <= made.steps <= 16
    needed = sum(first.values()) - sum(asked.values())
    least = STEPS * step + needed
    assert made.training + made.asking <= max(seconds, least) * (1 + 1e-9) + 1e-9
    assert (made.lacking > 0) == (made.training + made.asking > seconds)
    if made.lacking > 1e-6:
        assert made.steps == STEPS
        assert abs(made.asking - needed) <= 1e-6
    if made.steps > max(STEPS, int(max(seconds - needed, 0) * share / step)):
        assert made.asked == made.askable
    for task, part in made.tasks.items():
        counts = [
            sum(c.questions for c in chunks[task][:n]) for n in range(1, len(chunks[task]) + 1)
        ]
        assert part.questions in counts
        assert part.all_questions == counts[-1]
    assert made.all_seconds >= made.training + made.asking - 1e-6 * abs(made.all_seconds)
