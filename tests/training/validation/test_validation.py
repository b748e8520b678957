"""Whole runs that look at held-out images: what is kept, what is said, and what is not changed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.training import stages
from locvlm.training.engine import time_limit
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import train
from locvlm.training.validation import outcome as settling
from locvlm.training.validation.held_out import read_held_out
from locvlm.training.validation.measure import Measurer


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "places/log.jsonl").read_text().splitlines()]


def looks(out: Path) -> list[dict[str, Any]]:
    return [row for row in log(out) if "eval_loss" in row]


def losses(out: Path) -> list[tuple[int, float]]:
    return [(row["step"], row["loss"]) for row in log(out) if "loss" in row]


def outcome(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "places/validation.json").read_text())
    return found


def files(out: Path) -> dict[str, bytes]:
    """What a stage has left; its log has seconds in it."""
    paths = (path for path in (out / "places").rglob("*") if path.is_file())
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in paths
        if path.name != "log.jsonl"
    }


def assert_same(one: Path, other: Path) -> None:
    ours, theirs = (load_file(next(path.glob("*model.safetensors"))) for path in (one, other))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@pytest.fixture
def second_look_is_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measured loss is least after step 2, whatever it was."""
    measure = Measurer.measure
    told = iter([3.0, 1.0, 2.0, 2.5])

    def measured(self: Measurer, sample: Any, *rest: Any) -> dict[str, float]:
        figures = measure(self, sample, *rest)
        if "/val/" in sample.visits.conversations[0].image:
            figures["loss"] = next(told)
        return figures

    monkeypatch.setattr(Measurer, "measure", measured)


def test_a_run_looks_and_says_what_it_sees(
    looking_recipe: Path, out: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(looking_recipe, [f"out={out}"])
    rows = looks(out)
    assert rows == looks(whole)
    assert [row["step"] for row in rows] == [0, 2, 4, 6]
    for row in rows:
        assert {"eval_loss", "eval_iou", "eval_accuracy", "eval_presence"} <= row.keys()
    found = outcome(out)
    assert (found["images"], found["questions"]) == (3, {"where": 4, "whether": 4})
    assert found["unseen"]["loss"] == min(row["eval_loss"] for row in rows[1:])
    assert found["seen"].keys() == found["unseen"].keys()
    said = capsys.readouterr().err
    assert "places: looks every 2 steps at 3 held-out images and 4 questions" in said
    assert "places: the model, unseen images (3 images, 8 questions): loss " in said
    assert "places: the model, images that it was trained on (3 images, 8 questions): " in said
    assert {path.name for path in (out / "places").iterdir()} == {
        "model",
        "log.jsonl",
        "validation.json",
    }


def test_looking_changes_nothing_that_is_learned(
    looking_recipe: Path, out: Path, whole: Path
) -> None:
    train(looking_recipe, [f"out={out}", "validation=false"])
    assert losses(out) == losses(whole)
    assert outcome(whole)["step"] == 6
    assert_same(out / "model", whole / "model")


@pytest.mark.slow
@pytest.mark.parametrize(
    "also",
    [
        ["cache=false", "layout=padded", "precision=bf16", "stages.places.standardize=true"],
        ["stages.places.trains=adapter+language", "stages.places.readout=0.1"],
    ],
)
def test_nor_where_it_is_computed_otherwise(
    looking_recipe: Path, out: Path, also: list[str]
) -> None:
    blind = out.with_name("blind")
    train(looking_recipe, [f"out={blind}", "validation=false", *also])
    train(looking_recipe, [f"out={out}", "validation.keep=last", *also])
    assert losses(blind) == losses(out)
    assert_same(blind / "model", out / "model")


def test_the_best_state_is_the_model_and_the_last_is_beside_it(
    looking_recipe: Path,
    out: Path,
    whole: Path,
    second_look_is_best: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(looking_recipe, [f"out={out}"])
    assert outcome(out)["step"] == outcome(out)["best_step"] == 2
    assert_same(out / "places/last", whole / "model")
    assert_same(out / "model", out / "places/model")
    with pytest.raises(AssertionError):
        assert_same(out / "model", whole / "model")
    said = capsys.readouterr().err
    assert "the model is that of step 2 of 6, the best of its looks (by loss); the last" in said


def test_or_the_last_where_the_recipe_says_so(
    looking_recipe: Path,
    out: Path,
    whole: Path,
    second_look_is_best: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(looking_recipe, [f"out={out}", "validation.keep=last"])
    assert_same(out / "model", whole / "model")
    assert (out / "places/best/adapter_model.safetensors").is_file()
    said = capsys.readouterr().err
    assert "the model is that of step 6 of 6, the last; the best (by loss) was step 2; the" in said


def test_a_stage_ends_where_no_look_is_better(
    looking_recipe: Path, out: Path, second_look_is_best: None, capsys: pytest.CaptureFixture[str]
) -> None:
    train(looking_recipe, [f"out={out}", "validation.patience=1"])
    assert [row["step"] for row in looks(out)] == [0, 2, 4]
    assert (outcome(out)["step"], outcome(out)["last_step"]) == (2, 4)
    said = capsys.readouterr().err
    assert "places: ends after step 4 of 6: none of the last 1 looks was better" in said


def test_a_stage_ends_in_time_and_is_done(
    looking_recipe: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Three steps of 10 s and what follows them, but not four; its end has a look of its own."""
    time, loss = [0.0], LocTrainer.compute_loss

    def slow(self: Any, *args: Any, **kwargs: Any) -> Any:
        time[0] += 5  # there are two passes in a step
        return loss(self, *args, **kwargs)

    monkeypatch.setattr(time_limit, "now", lambda: time[0])
    monkeypatch.setattr(LocTrainer, "compute_loss", slow)
    train(looking_recipe, [f"out={out}"], max_seconds=39)
    assert [row["step"] for row in looks(out)] == [0, 2, 3]
    assert outcome(out)["last_step"] == 3
    assert json.loads((out / "places/ended.json").read_text()) == {"step": 3, "steps": 6}
    assert "places: its time is over after step 3 of 6" in capsys.readouterr().err
    before = time[0]
    train(looking_recipe, [f"out={out}"])  # the same recipe does not train on
    assert time[0] == before


@pytest.mark.slow
@pytest.mark.parametrize(("where", "call"), [("loss", 1), ("loss", 6), ("look", 2), ("look", 5)])
def test_a_killed_run_goes_on_to_the_same_looks_and_model(
    looking_recipe: Path,
    out: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    call: int,
) -> None:
    owner, name = {
        "loss": (LocTrainer, "compute_loss"),
        "look": (Measurer, "measure"),
    }[where]
    function, calls = getattr(owner, name), 0

    def killed(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, name, killed)
        train(looking_recipe, [f"out={out}"])
    train(looking_recipe, [f"out={out}"])
    assert looks(out) == looks(whole)
    assert files(out) == files(whole)


@pytest.mark.parametrize(
    ("module", "name"),
    [(settling, "write_json"), (stages, "remove_working_states")],
    ids=["before its model", "after it"],
)
def test_one_that_is_killed_after_its_last_step_leaves_the_same_files(
    looking_recipe: Path,
    out: Path,
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
) -> None:
    """It goes on from a checkpoint; or its model is there, and what it needed before is, too."""

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, name, killed)
        train(looking_recipe, [f"out={out}"])
    assert list(out.glob("places/checkpoint-*"))
    train(looking_recipe, [f"out={out}"])
    assert files(out) == files(whole)


def test_without_held_out_images_it_is_said_once(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = "{trains: adapter, steps: 1, images: 2, questions: {locpred: 1}}"
    train(small_run, [f"stages={{one: {stage}}}"])
    said = capsys.readouterr().err
    assert said.count("validation: none, for no data set has held-out images") == 1
    assert "--hold-out 0.2" in said
    train(small_run, [f"stages={{one: {stage}}}", "validation=false", "out=silent"])
    assert "validation" not in capsys.readouterr().err


@pytest.mark.parametrize("split", ["train", "all", "val"])
def test_what_is_learned_is_never_looked_at(
    looking_recipe: Path, tmp_path: Path, split: str
) -> None:
    """Of a data set that asks about all splits nothing is held out, nor what two splits share."""
    source = looking_recipe.parent / "set"
    yaml = "train: images/train\nval: images\nnames: [dog, cat, person]\n"
    (tmp_path / "data.yaml").write_text(f"path: {source}\n{yaml}")
    options = BuildOptions(reader="yolo", split=split)
    build_from_files(tmp_path / "data.yaml", source, tmp_path / "data", options)
    held_out = read_held_out(read_recipe(looking_recipe, [f"data=[{tmp_path / 'data'}]"]))
    folders = {Path(item.image).parent.name for item in held_out.conversations}
    assert folders == ({"val"} if split == "train" else set())
    assert {path.parent.name for path, _, _ in held_out.annotated} == folders
