"""A model is known again by its files."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from locvlm.errors import InputError
from locvlm.inference.predictor import load_predictor
from locvlm.models.digest import digest_model


@pytest.fixture
def folder(small_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_base, tmp_path / "model"))


def test_copies_have_the_same(folder: Path, tmp_path: Path) -> None:
    first = digest_model(folder)
    copied = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    assert digest_model(copied) == digest_model(str(folder)) == first
    for name in ("README.md", "scores.json", "run.json"):  # cards and evaluations are no part of it
        (folder / name).write_text("{}")
    assert digest_model(folder) == first
    assert load_predictor(folder).digest == first


def test_other_weights_have_another(folder: Path) -> None:
    first = digest_model(folder)
    (path,) = folder.glob("*.safetensors")
    weights = load_file(path)
    name = min(weights)
    save_file({**weights, name: weights[name] + 1}, path, {"format": "pt"})
    assert digest_model(folder) != first


def test_other_settings_have_another(folder: Path) -> None:
    first = digest_model(folder)
    (folder / "locvlm.json").write_text('{"options": {"bins": 7}}')
    assert digest_model(folder) != first


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model"):
        digest_model(tmp_path)
