import json
from pathlib import Path

import pytest

from locvlm import cli

RECIPE = """\
model: {model}
data: [none]
out: none
stages:
  one: {{trains: adapter+lora, steps: 10, questions: {{locpred: 2}}}}
"""


@pytest.fixture
def recipe(small_base: Path, tmp_path: Path) -> str:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.format(model=small_base))
    return str(path)


def test_plan(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", recipe]) == 0
    said = capsys.readouterr().out
    assert "8xH100" in said
    assert "fits" in said
    assert "does not fit" not in said


@pytest.mark.filterwarnings("error::FutureWarning:transformers")
def test_plan_warns_of_nothing(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", recipe, "--set", "gradient_checkpointing=true"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"next: locvlm train {recipe} --set gradient_checkpointing=true"
    ]


def test_plan_as_json(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--machine", "1x4090", "--price", "36", "--json", "--set", "stages.one.steps=20"]
    assert cli.main(["plan", recipe, *given]) == 0
    [found] = json.loads(capsys.readouterr().out)["estimates"]
    assert found["fits"] is True
    assert found["cost"] == pytest.approx(36 * found["hours"])
    assert found["hours"] == pytest.approx(20 * found["step_seconds"] / 3600)


def test_an_unknown_machine(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", recipe, "--machine", "toaster"]) == 2
    assert "no machine 'toaster'" in capsys.readouterr().err


@pytest.mark.parametrize("given", [("--utilization", "0"), ("--price", "-1"), ("--price", "nan")])
def test_no_share_and_no_price(
    recipe: str, given: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", recipe, *given]) == 2
    assert " ".join(given)[:7] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("batch=3", r"stages.one: 8 images per step cannot be shared out with batches of 3"),
    ],
)
def test_what_training_refuses_is_not_planned(
    recipe: str, given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["plan", recipe, "--set", *given.split()]) == 2
    assert message in capsys.readouterr().err


def test_pictures_that_a_machine_cannot_share_out(
    recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["plan", recipe, "--set", "stages.one.images=4"]
    assert cli.main(given) == 0
    said = capsys.readouterr().out
    assert said.count("refused") == 2
    assert "8xA100: stage one: 4 images per step cannot be shared out to 8 processes" in said
    assert cli.main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["estimates"]
    assert [one["runs"] for one in found] == [True, False, False]


def test_images_of_an_epoch(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["plan", recipe, "--machine", "1x4090", "--set", "stages.one.epochs=2"]
    assert cli.main(given) == 0
    said = capsys.readouterr().out
    wanted = "one: 2 epochs of 100,000 images: 25,000 steps of 8 images."
    assert f"Assumed, for want of its data (--images says how many): {wanted}" in said
    assert cli.main([*given, "--images", "40", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["steps"]) == ({"one": 40}, {"one": 10})
    assert cli.main([*given, "--images", "0"]) == 2
    assert "--images must be at least 1" in capsys.readouterr().err
