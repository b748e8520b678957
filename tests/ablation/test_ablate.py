"""Whole ablations of the small model."""

import gc
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from transformers import LlavaForConditionalGeneration

from locvlm.ablation.run import ablate
from locvlm.ablation.untuned import load_untuned
from locvlm.errors import InputError
from locvlm.instructions.build_files import build_from_files
from locvlm.training.recipe import Recipe
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import train
from tests.ablation.recipes import CLIPS, PAPER, RECIPE, SUITE


def test_without_seeds_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--seeds must be at least 1, not 0"):
        ablate(RECIPE, "coordinates", [], tmp_path, tmp_path / "out", seeds=0)
    assert not (tmp_path / "out").exists()


ALL = "{locpred: 1, negpred: 1, revloc: 1, category: 1}"


@pytest.mark.parametrize(
    ("over", "settings", "asked", "message"),
    [
        ("location", ["format=qwen-vl", "options={}"], "{locpred: 1}", "'point': stage a: qwen-vl"),
        ("coordinates", [], "{negpred: 1}", "'nfp': the data sets have no questions of negpred"),
        ("objectives", [], ALL, r"'\+ negpred': the data sets have no questions of negp"),
        (
            "coordinates",
            ["lora.targets=[none]"],
            "{locpred: 1}",
            "'nfp': lora.targets: .* named",
        ),
    ],
)
def test_all_variants_are_checked_before_one_is_trained(
    small_run: Path, over: str, settings: list[str], asked: str, message: str
) -> None:
    stage = f"stages={{a: {{trains: lora, steps: 1, images: 2, questions: {asked}}}}}"
    with pytest.raises(InputError, match=f"variants? {message}") as error:
        recipe = read_recipe(small_run, [stage, *settings])
        ablate(recipe, over, SUITE, small_run.parent, Path("ablation"), seeds=1)
    assert "\n" not in str(error.value)
    assert not Path("ablation").exists()


def test_a_suite_is_there_before_one_is_trained(small_run: Path) -> None:
    with pytest.raises(InputError, match=r"locate: no elsewhere/instances\.json"):
        ablate(read_recipe(small_run), "location", SUITE, Path("elsewhere"), Path("ablation"))
    assert not Path("ablation").exists()


@pytest.mark.slow
def test_a_whole_ablation_is_not_done_twice(small_run: Path) -> None:
    one = "stages={a: {trains: adapter+lora, steps: 1, images: 2, questions: {locpred: 1}}}"
    recipe = read_recipe(small_run, [one])
    out, data = small_run.parent / "ablation", small_run.parent
    gc.collect()
    before = sum(type(i) is LlavaForConditionalGeneration for i in gc.get_objects())
    table = ablate(recipe, "location", SUITE, data, out, seeds=2, limit=2)
    models = [i for i in gc.get_objects() if type(i) is LlavaForConditionalGeneration]
    assert len(models) <= before, "models of earlier variants must not stay in memory"
    assert list(table) == ["box", "point"]
    assert all(len(cell.values) == 2 for row in table.values() for cell in row.values())
    written = json.loads((out / "table.json").read_text())
    assert written == {n: {s: list(c.values) for s, c in row.items()} for n, row in table.items()}
    made = (out / "point/seed-1/a/model/adapter_model.safetensors").stat().st_mtime_ns
    assert ablate(recipe, "location", SUITE, data, out, seeds=2, limit=2) == table
    assert (out / "point/seed-1/a/model/adapter_model.safetensors").stat().st_mtime_ns == made
    assert "points" in (out / "point/seed-1/recipe.json").read_text()


@pytest.mark.slow
def test_the_model_before_tuning_is_measured_once(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trains is left out here: the others' models are the one that they begin with."""
    trained = []

    def pretend(recipe: Recipe) -> str:
        trained.append(Path(recipe.out).parts[-2:])
        return recipe.model

    monkeypatch.setattr("locvlm.training.train.train_recipe", pretend)
    one = "stages={a: {trains: lora, steps: 1, images: 2, questions: {locpred: 1, revloc: 1}}}"
    recipe = read_recipe(small_run, [one])
    recipe = replace(recipe, stages={"a": replace(recipe.stages["a"], questions=PAPER.questions)})
    build_from_files(
        small_run.parent / "instances.json", small_run.parent / "images", small_run.parent / "data"
    )
    out = small_run.parent / "ablation"
    suite = [*SUITE, CLIPS]
    table = ablate(recipe, "objectives", suite, small_run.parent, out, seeds=2, limit=2)
    assert [len(next(iter(row.values())).values) for row in table.values()] == [1, 2, 2, 2]
    assert trained == [
        (name, f"seed-{seed}") for seed in (0, 1) for name in ("locpred", "negpred", "revloc")
    ]
    run = json.loads((out / "scores/none/locate/run.json").read_text())
    assert (run["model"], run["coordinates"]["options"]) == ("none", {"bins": 56})
    *_, none, left = (out / "table.md").read_text().split("\n\n")
    assert "none: tiny-base as the recipe begins with it" in none
    assert "not measured: clips is about clips" in left
    before = (out / "scores/none/locate/predictions.jsonl").read_bytes()
    assert ablate(recipe, "objectives", suite, small_run.parent, out, seeds=2, limit=2) == table
    assert (out / "scores/none/locate/predictions.jsonl").read_bytes() == before


def test_what_is_not_tuned_reads_as_the_recipe_says(small_run: Path) -> None:
    recipe = read_recipe(small_run, ["frames=3", "format=nfp", "options={}"])
    predictor = load_untuned(recipe)
    assert (predictor.frames, predictor.coordinates.name) == (3, "nfp")
    assert load_untuned(read_recipe(small_run)).frames is None


def test_a_recipe_that_starts_from_another_is_ablated(small_run: Path) -> None:
    (small_run.parent / "later.yaml").write_text(
        "model: small.yaml\ndata: [data]\nout: later\nstages:\n"
        "  a: {trains: lora, steps: 1, images: 2, questions: {locpred: 1}}\n"
    )
    recipe = read_recipe(small_run.parent / "later.yaml")
    with pytest.raises(InputError, match="has left no model yet"):
        ablate(recipe, "location", SUITE, small_run.parent, Path("ablation"), seeds=1)
    train(small_run, ["stages={a: {trains: lora, steps: 1, images: 2, questions: {revloc: 1}}}"])
    table = ablate(recipe, "location", SUITE, small_run.parent, Path("ablation"), seeds=1, limit=2)
    title = Path("ablation/table.md").read_text().partition("\n")[0]
    assert title == "# Ablation over location: one seed, in percent"
    assert list(table) == ["box", "point"]
