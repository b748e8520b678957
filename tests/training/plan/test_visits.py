"""What a stage's visits come to, where the data are there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.training.data.collator import Collator
from locvlm.training.data.dataset import read_training_data
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.plan.configurations import published_config
from locvlm.training.plan.estimate import Planner
from locvlm.training.plan.machines import Machine
from locvlm.training.plan.sequences import DEFAULT_SIZE, image_cost, plan_sequences
from locvlm.training.plan.visits import StageVisits, VisitLengths, draw_visits
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.stage_tasks import StageTasks
from locvlm.training.start import load_start

STAGE = Stage("adapter", 4, images=2, questions={"locpred": 2, "category": 1}, max_questions=9)
sizes = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
visits = st.builds(VisitLengths, sizes, st.integers(1, 30), st.integers(1, 90), st.integers(1, 90))


@pytest.fixture
def recipe(small_base: Path, tmp_path: Path, write_data: Callable[[Path], None]) -> Recipe:
    write_data(tmp_path)
    return Recipe((str(tmp_path / "data"),), "", {"one": STAGE}, str(small_base))


def changed(recipe: Recipe, **others: Any) -> Recipe:
    settings = {name: getattr(recipe, name) for name in ("data", "out", "stages", "model")}
    return Recipe(**{**settings, **others})


def test_lengths_are_those_of_the_run(recipe: Recipe) -> None:
    drawn = draw_visits(recipe)["one"]
    start = load_start(recipe)
    collator = Collator(start.processor, start.coordinates)
    run = VisitSampler(read_training_data(recipe).conversations, STAGE.questions, 9, seed="0/one")
    real = [collator.encode(run.visit(number).conversation) for number in range(6)]
    assert drawn.count == 6  # there are no more
    assert drawn.largest.size == drawn.usual.size == (60, 40)
    assert drawn.largest.questions == max(len(one.lengths) for one in real)
    text = max(sum(one.lengths) for one in real)
    largest = drawn.largest.questions * (drawn.largest.asked + drawn.largest.learned)
    assert text <= largest <= text + 2 * drawn.largest.questions  # means are rounded up


def test_without_a_model_at_hand_lengths_are_mean_ones(recipe: Recipe) -> None:
    drawn = draw_visits(changed(recipe, model="Qwen/Qwen3-VL-2B-Instruct"))["one"]
    assert drawn.usual.questions <= 3
    assert 13 <= drawn.usual.asked <= 31


@pytest.mark.parametrize("data", [(), ("nowhere",)])
def test_without_data(recipe: Recipe, data: tuple[str, ...]) -> None:
    assert draw_visits(changed(recipe, data=data)) == {}
    assert draw_visits(changed(recipe, data=(*recipe.data, "nowhere"))) == {}


def test_naming_asks_nothing(recipe: Recipe) -> None:
    assert draw_visits(changed(recipe, stages={"one": Stage("naming", 4)})) == {}


def test_no_such_questions(recipe: Recipe) -> None:
    stage = Stage("adapter", 4, questions={"spatial": 1})
    with pytest.raises(InputError, match="the data sets have no questions of spatial"):
        draw_visits(changed(recipe, stages={"one": stage}))


def test_one_question_is_reinforced(recipe: Recipe) -> None:
    from locvlm.training.recipe import Reinforce

    stage = Stage("lora", 4, questions={"locpred": 2}, reinforce=Reinforce())
    assert draw_visits(changed(recipe, stages={"one": stage}))["one"].largest.questions == 1


@given(st.lists(visits, min_size=1, max_size=9))
def test_two_stand_for_all(some: list[VisitLengths]) -> None:
    drawn = StageVisits.of(some)
    assert min(v.questions for v in some) <= drawn.usual.questions
    assert drawn.usual.questions <= max(v.questions for v in some)
    area = [v.size[0] * v.size[1] for v in some]
    assert drawn.largest.size[0] * drawn.largest.size[1] == max(area)
    text = [v.questions * (v.asked + v.learned) for v in some]
    assert drawn.largest.questions * (drawn.largest.asked + drawn.largest.learned) == max(text)


def test_memory_is_that_of_the_largest_and_time_that_of_the_usual(recipe: Recipe) -> None:
    planner = Planner(recipe)
    machine = Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    before = planner.estimate("one", machine)
    usual, largest = VisitLengths((60, 40), 2, 20, 10), VisitLengths((60, 40), 9, 30, 20)
    planner.visits = {"one": StageVisits(2, usual, largest)}
    found = planner.estimate("one", machine)
    assert found.memory.activations > before.memory.activations
    assert found.trace.reads.questions == 2
    reads = plan_sequences(planner.config, recipe, STAGE, largest)
    assert reads.length == reads.prefix + 9 * 50


@pytest.mark.parametrize("size", [(1, 1), (100, 2000), DEFAULT_SIZE])
def test_pictures_of_any_size(size: tuple[int, int]) -> None:
    square = published_config("llava-hf/llava-1.5-7b-hf")
    assert image_cost(square, size) == image_cost(square)
    native = published_config("Qwen/Qwen3-VL-2B-Instruct")
    assert image_cost(native, size).tokens >= 1
    assert image_cost(native, (1280, 960)).tokens == 4 * image_cost(native, DEFAULT_SIZE).tokens


@pytest.mark.parametrize("trains", ["adapter", "naming"])
def test_epochs_are_counted_as_the_run_counts_them(recipe: Recipe, trains: str) -> None:
    questions = {"locpred": 1} if trains == "adapter" else {}
    stage = Stage(trains, epochs=3, images=2, questions=questions)
    planned = Planner(changed(recipe, stages={"one": stage}))
    read = changed(recipe, stages={"one": stage})
    run = StageTasks(read, read_training_data(read), load_start(read), None, None)
    assert planned.recipe.stages == run.recipe.stages
    assert planned.epoch_images == run.epoch_images == {"one": 6}
