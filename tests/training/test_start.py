"""What a run starts from, and how its adapter will name it."""

from pathlib import Path
from typing import Any

import pytest
import torch

from locvlm.errors import InputError
from locvlm.models import tiny
from locvlm.models.folders import ModelSettings
from locvlm.training.adapters import add_adapter, save_adapter
from locvlm.training.recipe import LoraSettings, Recipe
from locvlm.training.start import load_start


def recipe(model: str | Path, **settings: Any) -> Recipe:
    return Recipe(data=(), out="", stages={}, model=str(model), **settings)


@pytest.fixture
def adapter(small_base: Path, tmp_path: Path) -> Path:
    """Folder of an adapter whose base lies beside it."""
    (tmp_path / "base").symlink_to(small_base)
    folder = tmp_path / "tuned"
    start = load_start(recipe(small_base))
    save_adapter(add_adapter(start.model, LoraSettings(rank=2, alpha=2)), folder, lora=True)
    ModelSettings(base="../base", options={"bins": 56}).write(folder)
    return folder


def test_another_model_needs_nothing_of_tiny(
    small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch() -> Path:
        raise AssertionError("LocVLM-Tiny was fetched")

    monkeypatch.setattr(tiny, "base_folder", fetch)
    start = load_start(recipe(small_base))
    assert (start.base, start.adapter) == (str(small_base), None)


def test_the_base_of_an_adapter_is_found_from_anywhere(adapter: Path, small_base: Path) -> None:
    start = load_start(recipe(adapter))
    assert start.base == str(small_base.resolve())
    assert start.adapter == adapter
    assert start.coordinates.options == {"bins": 56}


def test_the_untrained_base_is_named(small_base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "base_folder", lambda: small_base)
    assert load_start(recipe("tiny-base")).base == "tiny"


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_precision(small_base: Path, precision: Any, dtype: torch.dtype) -> None:
    assert load_start(recipe(small_base, precision=precision)).model.dtype == dtype


def test_options_alone_are_those_of_the_models_format(small_base: Path) -> None:
    spoken = load_start(recipe(small_base)).coordinates
    given = load_start(recipe(small_base, options={"bins": 7})).coordinates
    assert (spoken.name, spoken.options) == ("ivb", {"bins": 56})
    assert (given.name, given.options) == ("ivb", {"bins": 7})
    with pytest.raises(InputError, match="bins"):
        load_start(recipe(small_base, format="nfp", options={"bins": 7}))
