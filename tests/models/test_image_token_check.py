"""An image that a model would not look for is refused when it is loaded."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from locvlm.errors import InputError
from locvlm.models.image_token_check import check_image_token
from locvlm.models.load import Loaded, load_model


def configured(loaded: Loaded, token: int | None) -> Any:
    """A model without weights, whose configuration says this token."""
    model = torch.nn.Module()
    model.config = copy.copy(loaded.model.config)
    model.config.image_token_id = token
    return model


def test_it_says_no_token(small_model: Loaded) -> None:
    written = small_model.processor.image_token_id
    with pytest.raises(InputError, match=f"says no image_token_id.*set it to {written}") as caught:
        check_image_token(configured(small_model, None), small_model.processor, Path("m"))
    assert "\n" not in str(caught.value)


def test_words_of_its_own_are_no_fault(small_model: Loaded) -> None:
    model = configured(small_model, None)
    model.vocabulary_mapping = {}
    check_image_token(model, small_model.processor, Path("m"))


def test_another_token_is_told_when_it_is_loaded(small_base: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_base, tmp_path / "base"))
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | {"image_token_index": 5}))
    with pytest.raises(InputError, match="an image is token 5 .*the processor does not write"):
        load_model(folder)


def test_models_without_one_are_not_asked(small_model: Loaded) -> None:
    model = torch.nn.Module()
    model.config = object()
    check_image_token(model, small_model.processor, Path("m"))
