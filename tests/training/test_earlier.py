"""A chain of recipes: each starts from what the one before has left."""

import json
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.models.folders import ModelSettings
from locvlm.training.claim import CLAIM
from locvlm.training.earlier import describe_earlier_changes, read_earlier, result_of
from locvlm.training.plan.configurations import find_configuration, take_over
from locvlm.training.plan.estimate import IMAGES, Planner
from locvlm.training.plan.machines import get_machine
from locvlm.training.recipe import LoraSettings, Parts
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import check_recipe, train

FIRST = """\
parts: {encoder: openai/clip-vit-large-patch14, language: huggyllama/llama-7b}
data: [none]
out: first
format: ivb
options: {bins: 56}
max_pixels: 999
stages:
  a: {trains: adapter+lora, epochs: 1, questions: {caption: 1}}
lora: {rank: 3, targets: [all]}
"""
SECOND = """\
model: first.yaml
data: [none]
out: second
options: {bins: 224}
frames: 8
stages:
  b: {trains: lora, epochs: 10, images: 64, questions: {locpred: 1}}
"""
THIRD = """\
model: second.yaml
data: [none]
out: third
stages:
  c: {trains: adapter, steps: 1, questions: {locpred: 1}}
"""


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of three recipes."""
    for name, text in (("first", FIRST), ("second", SECOND), ("third", THIRD)):
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_taken_over(chain: Path) -> None:
    first, second, third = (
        take_over(read_recipe(chain / f"{name}.yaml")) for name in ("first", "second", "third")
    )
    assert first == read_recipe(chain / "first.yaml")
    wanted = Parts("openai/clip-vit-large-patch14", "huggyllama/llama-7b")
    assert (second.model, second.parts) == ("", wanted)
    assert (third.model, third.parts) == ("", wanted)
    assert (second.format, second.options) == ("ivb", {"bins": 224})
    assert (third.format, third.options) == ("ivb", {"bins": 224})
    assert [one.frames for one in (first, second, third)] == [0, 8, 8]
    assert third.max_pixels == 999
    assert third.lora == LoraSettings(rank=3, targets=("all",))
    assert [*third.stages] == ["c"]


def test_a_chain_is_planned_without_models_or_data(chain: Path) -> None:
    planner = Planner(read_recipe(chain / "second.yaml"))
    assert planner.origin.endswith(
        "published shape of huggyllama/llama-7b, as first.yaml leaves it"
    )
    assert (planner.epoch_images, planner.assumes_images) == ({"b": IMAGES}, True)
    assert planner.recipe.stages["b"].total_steps == 15_625
    told = Planner(read_recipe(chain / "second.yaml", ["batch=1"]), images=95_899)
    assert (told.assumes_images, told.recipe.stages["b"].total_steps) == (False, 14_985)
    found = told.estimate("b", get_machine("8xA100"))
    assert found.trace.reads.image.tokens == 256 + 8
    assert find_configuration(told.recipe)[0].text_config.vocab_size == 32_001


def test_a_model_that_is_there_is_what_is_planned(chain: Path, small_base: Path) -> None:
    result_of(read_earlier(str(chain / "first.yaml"))).parent.mkdir()
    (chain / "first" / "model").symlink_to(small_base)
    found = take_over(read_recipe(chain / "second.yaml"))
    assert found.model == str(chain / "first" / "model")
    assert (found.parts, found.options) == (None, {"bins": 224})


def test_it_has_to_be_trained_first(chain: Path) -> None:
    for refused in (train, lambda path: check_recipe(read_recipe(path))):
        with pytest.raises(InputError, match=r"first.yaml: .*run `locvlm train first.yaml` first"):
            refused(chain / "second.yaml")
    assert not (chain / "second").exists()


def test_a_circle(chain: Path) -> None:
    (chain / "first.yaml").write_text(
        FIRST.replace("parts: {", "model: third.yaml\n#").replace("max_pixels: 999\n", "")
    )
    for refused in (lambda one: Planner(read_recipe(one)), train):
        with pytest.raises(InputError, match="round in a circle: first.yaml, which starts from th"):
            refused(chain / "second.yaml")


def test_no_such_recipe(chain: Path) -> None:
    with pytest.raises(InputError, match=r"model: none.yml: there is no recipe .*/none\.yml"):
        read_recipe(chain / "second.yaml", ["model=none.yml"])


def test_it_goes_on_from_the_result(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And writes down the folder; its format carries over as a model's does."""
    train(small_run, ["out=out", "options={bins: 28}"])
    second = tmp_path / "second.yaml"
    second.write_text(
        "model: small.yaml\ndata: [data]\nout: more\n"
        "stages: {a: {trains: adapter+lora, epochs: 1, images: 2, questions: {locpred: 1}}}\n"
    )
    capsys.readouterr()
    left = train(second)
    assert (
        "small.yaml: what it has left was trained with other settings: options.bins (28 there"
        in capsys.readouterr().err
    )
    assert ModelSettings.read(left).options == {"bins": 28}
    claim = json.loads((tmp_path / "more" / CLAIM).read_bytes())
    assert claim["model"] == str(tmp_path / "out" / "model")
    assert train(second) == left  # nothing more to do
    third = tmp_path / "third.yaml"
    third.write_text(second.read_text().replace("small.yaml", "second.yaml"))
    assert describe_earlier_changes(read_recipe(third)) == ""  # its own start is followed
