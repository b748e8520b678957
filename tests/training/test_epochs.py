"""Epochs become steps: counted from the data, said, and the same when a run goes on."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.publishing.card_training import describe_training
from locvlm.publishing.provenance import find_origin
from locvlm.training.engine.trainer import LocTrainer
from locvlm.training.epochs import count_steps, resolve_epochs
from locvlm.training.recipe import Recipe, Stage
from locvlm.training.train import train

STAGE = "stages={a: {trains: adapter, epochs: %s, images: 2, questions: {locpred: 2}}}"


def stage(epochs: float, images: int) -> Stage:
    return Stage("adapter", epochs=epochs, images=images, questions={"locpred": 1})


@given(st.integers(1, 40), st.integers(1, 10**6), st.integers(1, 512))
def test_every_image_is_visited_so_often(epochs: int, images: int, per_step: int) -> None:
    steps = count_steps(stage(epochs, per_step), images)
    assert (steps - 1) * per_step < epochs * images <= steps * per_step


@pytest.mark.parametrize(
    ("epochs", "images", "per_step", "steps"),
    [(10, 95_899, 64, 14_985), (1, 595_375, 128, 4652), (0.1, 30, 3, 1), (0.001, 6, 8, 1)],
)
def test_parts_of_epochs(epochs: float, images: int, per_step: int, steps: int) -> None:
    assert count_steps(stage(epochs, per_step), images) == steps


def test_only_stages_with_epochs_are_counted() -> None:
    stages = {"a": Stage("naming", 5), "b": stage(2, 4)}
    found = resolve_epochs(Recipe((), "", stages), lambda name, _: {"b": 10}[name])
    assert found.stages["a"] is stages["a"]
    assert found.stages["b"].total_steps == 5


def steps_of(folder: Path) -> int:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return int(max(row["step"] for row in rows))


def test_a_run_counts_and_says_it(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the six pictures one has nothing that locpred may ask for."""
    document = json.loads((tmp_path / "instances.json").read_text())
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] != 6]
    (tmp_path / "instances.json").write_text(json.dumps(document))
    options = BuildOptions(questions=QuestionOptions(objectives=("locpred", "category")))
    build_from_files(tmp_path / "instances.json", tmp_path / "images", tmp_path / "data", options)
    naming = "stages.n={trains: naming, epochs: 1, images: 4}"
    model = train(small_run, [STAGE % 1.5, naming])
    assert steps_of(Path("out/a")) == 4  # 7.5 visits, 2 a step
    assert steps_of(Path("out/n")) == 2  # of all six
    said = capsys.readouterr().err
    assert "a: 1.5 epochs of 5 images: 4 steps of 2 images" in said
    assert "n: 1 epoch of 6 images: 2 steps of 4 images" in said
    run = find_origin(str(model)).run
    assert run is not None
    assert "| a | adapter | 1.5 epochs | 2 |" in describe_training(run)


def test_a_stopped_run_goes_on_as_if_it_had_not_been(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [STAGE % 1, "save_steps=1", "precision=fp32"]
    train(small_run, [*settings, "out=whole"])
    learn: Any = LocTrainer.training_step

    def stop(self: LocTrainer, *args: Any, **options: Any) -> Any:
        if self.state.global_step == 2:
            raise KeyboardInterrupt
        return learn(self, *args, **options)

    with monkeypatch.context() as stopping, pytest.raises(KeyboardInterrupt):
        stopping.setattr(LocTrainer, "training_step", stop)
        train(small_run, settings)
    with pytest.raises(InputError, match=r"stages.a.epochs \(1.0 there, 2.0 here\)"):
        train(small_run, [STAGE % 2, *settings[1:]])
    train(small_run, settings)
    weights = "a/model/adapter_model.safetensors"
    assert Path("out", weights).read_bytes() == Path("whole", weights).read_bytes()
