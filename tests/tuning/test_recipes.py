"""Which recipe a model gets, and that it is one."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from locvlm.instructions.dataset import Manifest
from locvlm.training.recipe import Recipe
from locvlm.training.recipe_file import read_recipe
from locvlm.tuning import recipes
from locvlm.tuning.recipes import STAGE, choose_questions, count_steps, make_recipe, write_recipe


def manifest(pictures: int = 100, **counts: int) -> Manifest:
    return Manifest(
        annotations="a.json",
        annotations_sha256="",
        images="photos",
        categories=("apple",),
        objectives=tuple(counts),
        pictures=pictures,
        counts=counts,
        drops={},
    )


def test_only_what_the_data_have_is_asked() -> None:
    asked = choose_questions(manifest(locpred=250, negpred=300, revloc=250, spatial=0))
    assert asked == {"locpred": 4, "negpred": 2, "revloc": 4}


def test_what_is_absent_is_asked_as_often_as_what_is_there() -> None:
    assert choose_questions(manifest(locpred=100, negpred=300))["negpred"] == 1
    assert choose_questions(manifest(locpred=900, negpred=300))["negpred"] == 3


def test_tiny_goes_on_as_it_is() -> None:
    made = make_recipe("tiny", manifest(locpred=100))
    assert made.lora is None
    assert made.stages[STAGE].trains == "adapter+lora"


def test_another_model_gets_low_rank_updates(tmp_path: Path) -> None:
    made = make_recipe(str(tmp_path), manifest(locpred=100))
    assert made.lora is not None
    assert made.lora.targets == ("all",)
    assert made.stages[STAGE].trains == "lora"
    (tmp_path / "adapter_config.json").touch()  # it has some already
    assert make_recipe(str(tmp_path), manifest(locpred=100)).lora is None


@pytest.mark.parametrize("model", ["tiny", "tiny-base", "org/model"])
def test_what_is_written_is_read_again(tmp_path: Path, model: str) -> None:
    path = tmp_path / "recipe.yaml"
    made = make_recipe(model, manifest(locpred=100, revloc=50))
    made = replace(made, data=(str(tmp_path / "data"),), out="training")
    write_recipe(path, made)
    assert read_recipe(path) == made
    assert "precision" not in path.read_text()  # as by default


def test_no_photo_is_seen_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes.torch.cuda, "is_available", lambda: False)
    made = make_recipe("tiny", manifest(pictures=6, locpred=10))
    assert count_steps(made, manifest(pictures=6)) == {STAGE: 20 * 6 // 4}


def test_epochs_are_counted() -> None:
    made: Recipe = make_recipe("tiny", manifest(locpred=100))
    stage = made.stages[STAGE]
    from msgspec.structs import replace

    made = replace(made, stages={"a": replace(stage, steps=None, epochs=2, images=8)})
    assert count_steps(made, manifest(pictures=100)) == {"a": 25}


def test_what_is_proven_is_not_chosen_by() -> None:
    looks = make_recipe("tiny", manifest(locpred=100), "val").looks
    assert looks is not None and looks.keep == "last"
    looks = make_recipe("tiny", manifest(locpred=100), "test").looks
    assert looks is not None and looks.keep == "best"
