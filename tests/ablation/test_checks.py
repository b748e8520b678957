"""What is told before the first of many runs."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from locvlm.ablation.checks import check_suite, find_measurable
from locvlm.errors import InputError
from locvlm.evaluation.suites.suite import read_suite
from locvlm.training.recipe_file import read_recipe
from tests.ablation.recipes import CLIPS, PARTS, SUITE


def test_clips_are_left_out_of_an_image_models_ablation(small_run: Path) -> None:
    recipe = read_recipe(small_run)
    kept, left = find_measurable([CLIPS, *SUITE], recipe)
    assert kept == SUITE
    assert "about clips, and the models of this recipe read images" in left["clips"]
    assert find_measurable([CLIPS], read_recipe(small_run, ["frames=3"])) == ([CLIPS], {})
    assert find_measurable(SUITE, recipe) == (SUITE, {})
    assert find_measurable([CLIPS], replace(recipe, model="tiny-video"))[1] == {}
    for images in (recipe, replace(recipe, model="", parts=PARTS)):
        with pytest.raises(InputError, match=r"the suite is about clips alone \(clips\)"):
            find_measurable([CLIPS], images)


def test_what_meteor_needs_is_there_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_here() -> None:
        raise InputError("METEOR needs Java")

    monkeypatch.setattr("locvlm.evaluation.metrics.captions.check_installed", none_here)
    [entry] = [entry for entry in read_suite("ablation") if entry.name == "refcocog"]
    (tmp_path / "refcocog").mkdir()
    (tmp_path / "refcocog/refs(umd).p").touch()
    (tmp_path / "coco").mkdir()
    with pytest.raises(InputError, match="refcocog: METEOR needs Java"):
        check_suite([entry], tmp_path)
