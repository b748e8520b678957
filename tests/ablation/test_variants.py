"""What the variants differ in."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from locvlm.ablation.variants import describe_none, make_variants
from locvlm.errors import InputError
from locvlm.instructions.dataset import Manifest
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.recipe_file import read_recipe
from tests.ablation.recipes import ASKED, CAPTIONS, PAPER, PARTS, RECIPE


def test_coordinates_keep_the_bins() -> None:
    found = make_variants(RECIPE, "coordinates")
    assert {name: (one.format, one.options) for name, one in found.items()} == {
        "nfp": ("nfp", {}),
        "ivb": ("ivb", {"bins": 224}),
        "diga": ("diga", {"bins": 224}),
    }


def test_objectives_are_added_one_by_one() -> None:
    asked = [one.stages["a"].questions for one in make_variants(RECIPE, "objectives").values()]
    names = ["locpred", "negpred", "revloc"]
    assert asked == [
        {name: n for name, n in ASKED.items() if name in (*names[:count], "caption")}
        for count in range(4)
    ]


def test_a_stage_that_would_ask_nothing() -> None:
    bare = Recipe(
        data=(), out="", model="x", stages={"a": Stage("lora", 5, questions={"revloc": 1})}
    )
    with pytest.raises(InputError, match=r"variant '\+ locpred': stages\.a would ask nothing"):
        make_variants(bare, "objectives")
    with pytest.raises(InputError, match="cannot ablate over 'weather'"):
        make_variants(bare, "weather")


def test_none_is_the_model_before_tuning_where_all_questions_are_of_locations() -> None:
    """As of vid-b-plus: nothing is left to train."""
    bare = Recipe(data=(), out="", model="llava", stages={"objects": PAPER})
    found = make_variants(bare, "objectives")
    assert list(found) == ["none", "+ locpred", "+ negpred", "+ revloc"]
    assert found["none"] == replace(bare, stages={})
    assert found["+ revloc"] == bare
    assert describe_none(bare).startswith("none: llava as the recipe begins with it, not tuned")


def test_none_is_what_the_stages_before_leave() -> None:
    """As of locvlm-b: the adapter has learned captions."""
    whole = Recipe(data=(), out="", parts=PARTS, stages={"captions": CAPTIONS, "where": PAPER})
    found = make_variants(whole, "objectives")
    assert found["none"] == replace(whole, stages={"captions": CAPTIONS})
    assert found["+ locpred"].stages["captions"] == CAPTIONS
    assert "before tuning: after captions, without where" in describe_none(whole)


def test_none_is_tuned_on_other_questions_where_there_are_some() -> None:
    assert describe_none(RECIPE) == (
        "none: tuned as long as the others, on the recipe's other questions alone"
    )


def test_none_of_parts_that_nothing_has_joined() -> None:
    bare = Recipe(data=(), out="", parts=PARTS, stages={"where": PAPER})
    with pytest.raises(InputError, match="variant 'none': .* trained the adapter of these parts"):
        make_variants(bare, "objectives")


@pytest.mark.parametrize("name", ["locvlm-b", "locvlm-l", "vid-b-plus"])
def test_the_papers_recipes_are_ablated_over_objectives(name: str) -> None:
    recipe = read_recipe(Path(__file__).parents[2] / "recipes" / f"{name}.yaml")
    none, *_, whole = make_variants(recipe, "objectives").values()
    assert none.stages.keys() < recipe.stages.keys()
    assert whole == recipe


def dataset(folder: Path, pseudo: dict[str, str]) -> str:
    manifest = Manifest(
        annotations="",
        annotations_sha256="",
        images="",
        pseudo=pseudo,
        categories=(),
        objectives=(),
        pictures=0,
        counts={},
        drops={},
    )
    write_dataset(folder, [], manifest=manifest)
    return str(folder)


def test_without_and_with_what_models_made(tmp_path: Path) -> None:
    real = dataset(tmp_path / "real", {})
    made = dataset(tmp_path / "made", {"by": "pseudo describe"})
    folders = replace(RECIPE, data=(made, real), images=("/a", "/b"))
    assert make_variants(folders, "pseudo")["without"].images == ("/b",)
    found = make_variants(replace(RECIPE, data=(made, real)), "pseudo")
    assert {name: tuple(one.data) for name, one in found.items()} == {
        "without": (real,),
        "with": (made, real),
        "alone": (made,),
    }
    for data in ((real,), (made, made)):
        with pytest.raises(InputError, match="all data sets of the recipe are"):
            make_variants(replace(RECIPE, data=data), "pseudo")
