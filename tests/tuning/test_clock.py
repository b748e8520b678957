"""What is planned anew, and when the clock ends it."""

import pytest

from locvlm.tuning import step_timer, timing
from locvlm.tuning.budget import QuestionChunk, TaskPlan, TunePlan
from locvlm.tuning.clock import ENDING, TuneClock
from locvlm.tuning.options import TuneOptions
from locvlm.tuning.state import TuneState
from locvlm.tuning.step_timer import StepTimer
from locvlm.tuning.tune import SCREEN

CHUNKS = {"locate": [QuestionChunk(10, 4), QuestionChunk(10, 4), QuestionChunk(10, 4)]}
TIMES = {timing.task_key("locate"): 10.0, timing.BESIDES: 2.0, timing.LOADING: 3.0}
ALL = TaskPlan(questions=30, images=12, all_questions=30, all_images=12)
PLAN = TunePlan(10, 100, {"locate": ALL}, training=50, asking=50, lacking=0, all_seconds=600)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TuneClock:
    """60 of 130 seconds are spent, when the start has been asked."""
    monkeypatch.setattr(step_timer, "now", lambda: 0.0)
    options = TuneOptions(annotations="/a.json", minutes=2 + ENDING / 60)
    return TuneClock(TuneState(options, dict(TIMES), PLAN), StepTimer(SCREEN, 60), CHUNKS)


def test_the_start_was_asked_its_first_questions_and_tuned_models_none(clock: TuneClock) -> None:
    assert clock.before(PLAN) == 20 + 2
    assert clock.after(PLAN) == 30 + 2


@pytest.mark.parametrize(("took", "steps"), [(15.0, 5), (20.0, 5), (30.0, 4), (200.0, 4)])
def test_steps_are_counted_anew(clock: TuneClock, took: float, steps: int) -> None:
    """60 s are left, less 32 of answers (more, if those of the start took longer) and loading."""
    clock.state.times[timing.rest_key("locate")] = took
    assert clock.settle(PLAN, 5.0).steps == steps


def test_the_training_leaves_time_to_ask(clock: TuneClock) -> None:
    assert clock.training(PLAN, 0) == 60 - 32


@pytest.mark.parametrize(("first", "questions"), [(10, 30), (30, 30), (35, 20), (300, 10)])
def test_a_slower_model_is_asked_less(clock: TuneClock, first: float, questions: int) -> None:
    assert clock.choose_after(PLAN, {"locate": first})["locate"].questions == questions


def test_a_run_that_needs_more_than_its_minutes_has_what_it_needs(clock: TuneClock) -> None:
    left = clock.left
    clock.state.plan = TunePlan(4, 100, {"locate": ALL}, 20, 50, lacking=90, all_seconds=600)
    assert clock.left == left + 90
