"""Ablations: what the variants differ in, the table, and a whole one of the small model."""

import gc
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from transformers import LlavaForConditionalGeneration

from locvlm.ablation.checks import check_suite, find_measurable
from locvlm.ablation.run import ablate
from locvlm.ablation.table import (
    AblationCell,
    find_published,
    format_markdown,
    student_t,
    tabulate,
)
from locvlm.ablation.untuned import load_untuned
from locvlm.ablation.variants import describe_none, make_variants
from locvlm.errors import InputError
from locvlm.evaluation.suites.suite import Entry, read_suite
from locvlm.instructions.build_files import build_from_files
from locvlm.instructions.dataset import Manifest, write_dataset
from locvlm.training.recipe import Parts, Recipe, Stage
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import train

ASKED = {"locpred": 4, "negpred": 2, "revloc": 3, "caption": 1}
RECIPE = Recipe(
    data=("d",),
    out="o",
    model="tiny",
    options={"bins": 224},
    stages={"a": Stage("lora", 5, questions=ASKED)},
)


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


PAPER = Stage("adapter+language", 5, questions={"locpred": 4, "negpred": 4, "revloc": 4})
CAPTIONS = Stage("adapter", 5, questions={"caption": 1})
PARTS = Parts(encoder="openai/clip-vit-large-patch14", language="huggyllama/llama-7b")


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


@given(st.lists(st.floats(0, 100), min_size=2, max_size=12))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    cell = AblationCell(tuple(values))
    assert min(values) - 1e-9 <= cell.mean <= max(values) + 1e-9
    assert cell.half >= 0


def test_of_one_seed_there_is_no_interval() -> None:
    assert math.isnan(AblationCell((50.0,)).half)
    assert str(AblationCell((50.0,))) == "50.0"


def test_three_seeds_as_by_hand() -> None:
    """Mean 2, deviation 1, so 4.303 / sqrt(3)."""
    assert str(AblationCell((1.0, 2.0, 3.0))) == "2.0 ± 2.5"


@pytest.mark.parametrize(("n", "t"), [(2, 12.706), (11, 2.228), (12, 2.201), (31, 2.042)])
def test_quantiles_as_in_the_books(n: int, t: float) -> None:
    assert student_t(n) == pytest.approx(t, abs=3e-3)


def test_scores_without_a_value_are_left_out() -> None:
    seed = {"e": {"scores": {"a": {"value": 0.5}, "b": {"value": None}}}}
    table = tabulate({"x": [seed, seed]}, {"e": ("a", "b", "c")})
    assert table == {"x": {"e: a": AblationCell((50.0, 50.0))}}
    assert format_markdown("T", table).splitlines()[2:] == [
        "| score | x |",
        "|---|---|",
        "| e: a | 50.0 ± 0.0 |",
    ]
    assert tabulate({}, {}) == {}


def test_published_figures_stand_beside_the_variants_in_percent() -> None:
    own = {"scores": {"a": {"value": 0.5, "kind": "rate"}, "m": {"value": 0.2, "kind": "mean"}}}
    printed = {
        "a": {"none": 44.7, "ivb": 47.3},
        "m": {"none": 0.103},
        "judge": {"none": {"on clips": 37.4, "on images": 35.2}},
    }
    entries = [Entry("e", "locate", {}, published=printed)]
    published = find_published(entries, {"none": [{"e": own}], "+ locpred": [{"e": own}]})
    assert published == {
        "e: a, published": {"none": 44.7},
        "e: m, published": {"none": pytest.approx(10.3)},
        "e: judge, published, on clips": {"none": 37.4},
        "e: judge, published, on images": {"none": 35.2},
    }
    table = tabulate({"none": [{"e": own}], "+ locpred": [{"e": own}]}, {"e": ("a",)})
    assert format_markdown("T", table, published).splitlines()[2:6] == [
        "| score | none | + locpred |",
        "|---|---|---|",
        "| e: a | 50.0 | 50.0 |",
        "| e: a, published | 44.7 | – |",
    ]


def test_the_papers_columns_by_the_names_of_variants() -> None:
    """Each variant that this package makes has the paper's figure, of all columns."""
    entries = read_suite("ablation")
    assert [entry.name for entry in entries] == ["gqa", "refcocog", "activitynet-qa"]
    variants = {"without", "alone", *make_variants(RECIPE, "coordinates")}
    variants |= {*make_variants(RECIPE, "objectives"), *make_variants(RECIPE, "location")}
    for entry in entries:
        [printed] = entry.published.values()
        assert printed.keys() == variants
    objectives = [
        find_published(
            [entry],
            {name: [{entry.name: {"scores": {}}}] for name in make_variants(RECIPE, "objectives")},
        )
        for entry in entries[::2]
    ]
    assert objectives[0] == {
        "gqa: accuracy, published, tuned on images": {
            "none": 44.7,
            "+ locpred": 45.2,
            "+ negpred": 46.9,
            "+ revloc": 47.3,
        }
    }
    assert [*objectives[1].values()][1] == {
        "none": 37.4,
        "+ locpred": 37.6,
        "+ negpred": 38.2,
        "+ revloc": 38.2,
    }


CLIPS = Entry("clips", "activitynet-qa", {"questions": "q.json"}, videos="clips")


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


def test_without_seeds_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--seeds must be at least 1, not 0"):
        ablate(RECIPE, "coordinates", [], tmp_path, tmp_path / "out", seeds=0)
    assert not (tmp_path / "out").exists()


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
    found = make_variants(replace(RECIPE, data=(made, real)), "pseudo")
    assert {name: tuple(one.data) for name, one in found.items()} == {
        "without": (real,),
        "with": (made, real),
        "alone": (made,),
    }
    for data in ((real,), (made, made)):
        with pytest.raises(InputError, match="all data sets of the recipe are"):
            make_variants(replace(RECIPE, data=data), "pseudo")


SUITE = [Entry("locate", "locate", {"annotations": "instances.json"}, "images")]
ALL = "{locpred: 1, negpred: 1, revloc: 1, category: 1}"


@pytest.mark.parametrize(
    ("over", "settings", "asked", "message"),
    [
        ("location", ["format=qwen-vl", "options={}"], "{locpred: 1}", "'point': stage a: qwen-vl"),
        ("coordinates", [], "{negpred: 1}", "'nfp': the data sets have no questions of negpred"),
        ("objectives", [], ALL, r"'\+ locpred' and '\+ negpred' would be trained alike"),
        ("coordinates", ["lora.targets=[none]"], ALL, "'nfp': lora.targets: .* named none"),
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
    assert list(table) == ["box", "point"]
