"""A run of all of a model that starts from an adapter merges the two first."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from locvlm.models.folders import ModelSettings
from locvlm.models.load import load_model
from locvlm.publishing.merge import merge
from locvlm.training.recipe_file import read_recipe
from locvlm.training.start import load_start
from locvlm.training.train import check_recipe, train

STAGE = "stages={a: {trains: %s, steps: %d, images: 2, questions: {locpred: 1}}}"
WHOLE = (STAGE % ("adapter+language", 1), "model=./first/model", "out=second")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.fixture
def first(small_run: Path) -> Path:
    """An adapter with low-rank updates that do something."""
    tuned = STAGE.replace("steps", "learning_rate: 0.01, steps") % ("adapter+lora", 3)
    return train(small_run, [tuned, "out=first", "options={bins: 28}"])


def test_it_is_merged_as_locvlm_merge_does(
    small_run: Path, first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_run.write_text(small_run.read_text().replace("options: {bins: 56}\n", ""))
    still = WHOLE[0].replace("steps", "learning_rate: 0.0, steps")
    folder = train(small_run, [still, *WHOLE[1:]])
    said = capsys.readouterr().err
    assert said.count("is an adapter, and all of its model is to be trained: merged into") == 1
    merge(str(first), tmp_path / "merged")
    wanted = weights(tmp_path / "merged")
    for made in (Path("second/base"), folder):
        found = weights(made)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], value) for name, value in wanted.items())
        assert ModelSettings.read(made).options == {"bins": 28}
    assert load_model(folder).coordinates.options == {"bins": 28}
    assert train(small_run, [still, *WHOLE[1:]]) == folder
    assert "merged" not in capsys.readouterr().err  # once


def test_it_learns_from_there(small_run: Path, first: Path) -> None:
    folder = train(small_run, list(WHOLE))
    before, after = weights(Path("second/base")), weights(folder)
    moved = {name for name, value in before.items() if not torch.equal(after[name], value)}
    assert any("projector" in name for name in moved)
    assert any("language_model" in name for name in moved)
    assert not any("vision_tower" in name for name in moved)


def test_a_merge_of_what_is_no_more_is_made_again(
    small_run: Path, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ended before it learned; meanwhile the adapter was trained anew."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no memory")

    with monkeypatch.context() as failing, pytest.raises(RuntimeError, match="no memory"):
        failing.setattr("locvlm.training.stages.TrainingRun.train_stage", fail)
        train(small_run, list(WHOLE))
    before = weights(Path("second/base"))
    file = first / "adapter_model.safetensors"
    doubled = {name: value * 2 for name, value in load_file(file).items()}
    save_file(doubled, file, metadata={"format": "pt"})
    train(small_run, list(WHOLE))
    after = weights(Path("second/base"))
    assert any(not torch.equal(after[name], value) for name, value in before.items())


def test_a_check_writes_nothing(small_run: Path, first: Path) -> None:
    check_recipe(read_recipe(small_run, list(WHOLE)))
    assert not Path("second").exists()
    assert load_start(read_recipe(small_run, list(WHOLE))).adapter is not None
