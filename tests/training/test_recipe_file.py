"""Reading a recipe: overrides, folders, and what is wrong in one line."""

from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.training.recipe import LoraSettings, Parts, Stage
from locvlm.training.recipe_file import read_recipe

SHORT = """\
model: tiny-base
data: [sets/coco, ../voc]
out: runs/short
stages:
  locations: {trains: adapter+lora, steps: 10, questions: {locpred: 2}}
"""
SHIPPED = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipes" / "short.yaml"
    path.parent.mkdir()
    path.write_text(SHORT)
    return path


def test_defaults(recipe: Path) -> None:
    read = read_recipe(recipe)
    assert read.lora is None
    assert read.stages == {"locations": Stage("adapter+lora", 10, questions={"locpred": 2})}
    assert (read.format, read.options, read.seed) == ("", {}, 0)


def test_data_is_relative_to_the_recipe_and_out_is_not(recipe: Path) -> None:
    read = read_recipe(recipe)
    assert read.data == (str(recipe.parent / "sets/coco"), str(recipe.parents[1] / "voc"))
    assert read.out == "runs/short"


def test_a_model_is_a_name_or_a_folder(recipe: Path) -> None:
    assert read_recipe(recipe).model == "tiny-base"
    assert read_recipe(recipe, ["model=../mine"]).model == str(recipe.parents[1] / "mine")


def test_a_folder_of_the_user(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(recipe.parent))
    read = read_recipe(recipe, ["model=~/mine", "data=[~/set]"])
    home = recipe.parent.resolve()
    assert (read.model, read.data) == (str(home / "mine"), (str(home / "set"),))


def test_parts_are_hub_ids_or_folders(recipe: Path) -> None:
    read = read_recipe(recipe, ["model=", "parts={encoder: a/clip, language: ./llama}"])
    assert read.parts == Parts("a/clip", str(recipe.parent.resolve() / "llama"))


def test_parts_are_not_quantized(recipe: Path) -> None:
    given = ["model=", "parts={encoder: a/b, language: c/d}", "quantize=4bit"]
    with pytest.raises(InputError, match="quantize: needs a model"):
        read_recipe(recipe, given)


@pytest.mark.parametrize(
    ("override", "value"),
    [("3", 3.0), ("1e-4", 1e-4), ("2.5E-3", 2.5e-3)],
)
def test_numbers_as_people_write_them(recipe: Path, override: str, value: float) -> None:
    read = read_recipe(recipe, [f"stages.locations.learning_rate={override}"])
    assert read.stages["locations"].learning_rate == value


def test_overrides_nest_and_the_last_one_counts(recipe: Path) -> None:
    given = ["lora.rank=4", "stages.locations.questions={revloc: 1}", "seed=1", "seed=2"]
    read = read_recipe(recipe, given)
    assert (read.lora, read.seed) == (LoraSettings(rank=4), 2)
    assert read.stages["locations"].questions == {"revloc": 1}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "expected key=value"),
        ("model.deep=1", "model has no keys of its own"),
        ("seed=[1", "not YAML"),
        ("seeds=1", "seeds"),
        ("stages.locations.step=5", "step"),
        ("stages.locations.trains=all", "all"),
        ("stages.locations.steps=many", "int"),
        ("stages.locations.learning_rate=-1", ">= 0.0"),
        ("stages.locations.warmup=2", "<= 1.0"),
        ("stages.locations.decay=0.98", "together more than all"),
        ("stages.locations.rates={encoder: 1.0e-4}", "rates.encoder: the stage does not train it"),
        ("stages={naming: {trains: naming, steps: 1, rates: {naming: 1}}}", "naming.rates: naming"),
        ("stages={naming: {trains: naming, steps: 1, guidance: 1}}", "naming.guidance: naming"),
        ("stages={naming: {trains: naming, steps: 1, readout: 1}}", "naming.readout: naming"),
        ("stages={model: {trains: naming, steps: 1}}", "is no name for its folder"),
        ("stages={../up: {trains: naming, steps: 1}}", "is no name for its folder"),
        ("truncate=true", "max_tokens, which sets no limit"),
        ("workers=-1", ">= 0"),
        ("stages.locations.learning_rate=.inf", "<= 1000000000.0"),
        ("stages.locations.rates={adapter: .inf}", "<= 1000000000.0"),
        ("stages.locations.epochs=.inf", "<= 1000000.0"),
        ("stages.locations.epochs=.nan", "> 0.0"),
        ("stages.locations.epochs=1e308", "<= 1000000.0"),
        ("stages.locations.steps=1000000000000000000000", "`int`"),
        ("batch=3", "stages.locations: 8 images per step cannot be shared out with batches of 3"),
        ("model=", "either model or parts"),
    ],
)
def test_wrong_overrides(recipe: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_recipe(recipe, [override])
    assert "\n" not in str(error.value)


STAGE = "stages={{locations: {{trains: adapter, questions: {{locpred: 1}}{}}}}}"


def test_steps_or_epochs(recipe: Path) -> None:
    stage = read_recipe(recipe).stages["locations"]
    assert (stage.steps, stage.epochs) == (10, None)
    assert stage.total_steps == 10
    for both in ("", ", steps: 3, epochs: 1"):
        with pytest.raises(InputError, match="stages.locations: give how long .* steps or epochs"):
            read_recipe(recipe, [STAGE.format(both)])
    with pytest.raises(InputError, match=r"> 0\.0"):
        read_recipe(recipe, ["stages.locations.epochs=0"])


def test_the_length_that_is_set_replaces_the_files(recipe: Path) -> None:
    key = "stages.locations"
    for given, wanted in (
        ([f"{key}.epochs=0.5"], (None, 0.5)),
        ([f"{key}.epochs=2", f"{key}.steps=7"], (7, None)),
        ([STAGE.format(", epochs: 3"), f"{key}.steps=7"], (7, None)),
        ([f"{key}.steps=7", f"{key}.epochs=2"], (None, 2)),
    ):
        stage = read_recipe(recipe, given).stages["locations"]
        assert (stage.steps, stage.epochs) == wanted
    with pytest.raises(ValueError, match="not counted yet"):
        _ = stage.total_steps


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "a recipe is a mapping"), ("model: [", "not YAML"), ("model: tiny\n", "data")],
)
def test_broken_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_recipe(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"model: \xe9")
    with pytest.raises(InputError, match="not UTF-8"):
        read_recipe(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_recipe(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_recipes_are_read(path: Path) -> None:
    assert read_recipe(path).stages


def test_the_control_differs_in_its_questions_alone() -> None:
    """And in guidance, which needs a location to look at."""
    ours, control = read_recipe(SHIPPED / "tiny.yaml"), read_recipe(SHIPPED / "tiny-control.yaml")
    assert ours.data == control.data
    assert (ours.format, ours.options, ours.lora) == (control.format, control.options, control.lora)
    assert list(control.stages) == list(ours.stages)[:3]  # it has not gone on as far
    for name, b in control.stages.items():
        a = ours.stages[name]
        assert (a.steps, a.images, a.learning_rate) == (b.steps, b.images, b.learning_rate)
        assert (a.warmup, a.decay) == (b.warmup, b.decay)
        assert set(b.questions) == {"caption", "category"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("trains=language", "reinforce trains adapter, lora or both"),
        ("questions={revloc: 1}", "questions.revloc: has no reward that can be verified"),
        ("guidance=0.3", "guidance: is for answers that are given"),
        ("readout=0.3", "readout: is for answers that are given"),
        ("reinforce.rewards={iou: 0, format: 0, absence: 0}", "weights nothing"),
        ("reinforce.rewards={iuo: 1}", "unknown field `iuo`"),
        ("reinforce.samples=1", "reinforce.samples"),
        ("reinforce.temperature=0", "reinforce.temperature"),
    ],
)
def test_what_cannot_be_reinforced(recipe: Path, given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_recipe(recipe, ["stages.locations.reinforce={}", f"stages.locations.{given}"])


@pytest.mark.parametrize("written", ["1e-4", "1.0e-4", "1E-4", ".1e-3", "0.0001"])
def test_numbers_in_the_file_as_people_write_them(recipe: Path, written: str) -> None:
    recipe.write_text(SHORT.replace("steps: 10", f"steps: 10, learning_rate: {written}"))
    assert read_recipe(recipe).stages["locations"].learning_rate == pytest.approx(1e-4)
    rated = read_recipe(recipe, [f"stages.locations.rates={{lora: {written}}}"])
    assert rated.stages["locations"].rates["lora"] == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("written", "compiled"),
    [("auto", "auto"), ("true", True), ("yes", True), ("false", False), ("off", False)],
)
def test_compile_is_said_as_yaml_says_it(recipe: Path, written: str, compiled: bool | str) -> None:
    assert read_recipe(recipe, [f"compile={written}"]).compile == compiled


@pytest.mark.parametrize("given", ["precision=half", "precision=true", "compile=maybe"])
def test_what_the_device_cannot_be_asked(recipe: Path, given: str) -> None:
    with pytest.raises(InputError, match=given.partition("=")[0]):
        read_recipe(recipe, [given])


def test_the_old_name_of_a_key_is_accepted_with_a_warning(recipe: Path) -> None:
    new = read_recipe(recipe, ["stages.locations.images=4"])
    assert new.stages["locations"].images == 4
    recipe.write_text(SHORT.replace("steps: 10,", "steps: 10, pictures: 4,"))
    message = r"short.yaml: stages.locations.pictures is called images now; .* next release"
    with pytest.warns(FutureWarning, match=message):
        assert read_recipe(recipe) == new
    with pytest.warns(FutureWarning, match=message):  # what is set wins, by whichever name
        assert read_recipe(recipe, ["stages.locations.images=2"]).stages["locations"].images == 2


OLD_STAGE = "{trains: adapter+lora, steps: 10, pictures: 4, questions: {locpred: 2}}"


@pytest.mark.parametrize(
    "override",
    [
        "stages.locations.pictures=4",
        f"stages.locations={OLD_STAGE}",
        f"stages={{locations: {OLD_STAGE}}}",
    ],
)
def test_the_old_name_of_a_key_may_be_set(recipe: Path, override: str) -> None:
    with pytest.warns(FutureWarning, match="--set .*: stages.locations.pictures is called images"):
        found = read_recipe(recipe, ["stages.locations.images=2", override])
    assert found == read_recipe(recipe, ["stages.locations.images=4"])


def test_a_key_by_both_of_its_names_is_refused(recipe: Path) -> None:
    recipe.write_text(SHORT.replace("steps: 10,", "steps: 10, pictures: 4, images: 4,"))
    with pytest.raises(InputError, match="stages.locations: pictures is images now; give one"):
        read_recipe(recipe)


def test_below_the_old_name_of_a_key_there_is_nothing(recipe: Path) -> None:
    with (
        pytest.warns(FutureWarning, match="is called images now"),
        pytest.raises(InputError, match=r"stages.locations: Expected `int`, got `object`"),
    ):
        read_recipe(recipe, ["stages.locations.pictures.x=4"])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("modle=x", r"unknown field `modle`.*did you mean model\?"),
        ("stages.locations.lerning_rate=1", r"locations: .*`lerning_rate`; did you mean learning_"),
        ("learning_rate=1", "learning_rate is a key of a stage"),
        ("stages.locations.max_token=9", "max_tokens is outside the stages"),
        ("lora.rnk=3", r"lora`; did you mean rank\?"),
        ("augment={crop: {zzz: 1}}", "crop`; known: area, ratio, share, keep"),
        ("stages.locations.questions={locpret: 1}", "known: .*locpred.*, mixed"),
    ],
)
def test_what_may_have_been_meant(recipe: Path, override: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_recipe(recipe, [override])


def test_a_key_that_is_there_twice(recipe: Path) -> None:
    recipe.write_text(SHORT + "model: other\n")
    with pytest.raises(InputError, match=r"line 6: the key 'model' is there already \(line 1\)"):
        read_recipe(recipe)


def test_questions_of_other_data(recipe: Path) -> None:
    read = read_recipe(recipe, ["stages.locations.questions={mixed: 4}"])
    assert read.stages["locations"].questions == {"mixed": 4}
