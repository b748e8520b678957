"""What a look looks at: held-out images alone, the same every time, as they are."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from locvlm.training.data.dataset import read_training_data
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.recipe_file import read_recipe
from locvlm.training.validation.held_out import read_held_out
from locvlm.training.validation.sample import draw_sample
from locvlm.training.validation.schedule import Schedule


@pytest.fixture
def recipe(looking_recipe: Path) -> Recipe:
    return read_recipe(looking_recipe)


@pytest.fixture
def stage(recipe: Recipe) -> Stage:
    return recipe.stages["places"]


def test_held_out_images_and_those_that_are_trained_on_are_apart(recipe: Recipe) -> None:
    held_out, trained = read_held_out(recipe), read_training_data(recipe)
    ours, theirs = ({item.image for item in data.conversations} for data in (held_out, trained))
    assert len(ours) == 4
    assert not ours & theirs
    assert {str(path) for path, *_ in held_out.annotated} == ours
    questions = [item for one in held_out.conversations for item in one.instructions]
    assert {"locpred", "negpred", "presence"} <= {item.objective for item in questions}


def test_points_are_asked_where_the_recipe_says(recipe: Recipe) -> None:
    data = read_held_out(replace(recipe, points=True))
    assert data.kinds(["locpred"]) == {"point"}


def test_a_sample_is_bounded_and_the_same_every_time(recipe: Recipe, stage: Stage) -> None:
    data = read_held_out(recipe)
    for count in (1, 2, 3, 5):
        one, other = (draw_sample(data, stage, Schedule(3, count, 1, 6), "seed") for _ in range(2))
        assert one.asked == other.asked
        assert [one.visits.visit(n) for n in range(3)] == [other.visits.visit(n) for n in range(3)]
        objects = [item for asked in one.asked for item in asked.objects]
        whether = [name for asked in one.asked for name in (*asked.present, *asked.absent)]
        assert (len(objects), len(whether)) == (count, count)
    assert draw_sample(data, stage, Schedule(9, 0, 1, 6), "seed").images == 4
    assert draw_sample(data, stage, Schedule(9, 0, 1, 6), "seed").measured == {"loss"}


def test_what_is_shown_is_never_mirrored_or_cropped(recipe: Recipe, stage: Stage) -> None:
    sample = draw_sample(read_held_out(recipe), stage, Schedule(4, 4, 1, 6), "seed")
    visits = [sample.visits.visit(number) for number in range(sample.images)]
    assert not any(visit.flipped or visit.window or visit.light for visit in visits)
    assert len({visit.conversation.image for visit in visits}) == 4
