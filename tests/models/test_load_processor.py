"""Processor and format can be had without the weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.models import load
from locvlm.models.folders import ModelSettings, format_for
from locvlm.models.load import load_processor, load_whole
from tests import families


def test_a_whole_model_without_its_weights(small_base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "no-weights"
    folder.mkdir()
    for path in small_base.iterdir():
        if path.suffix != ".safetensors":
            (folder / path.name).write_bytes(path.read_bytes())
    processor, written = load_processor(str(folder))
    assert processor.image_processor.size["height"] == 56
    assert (written.name, written.options) == ("ivb", {"bins": 56})


def test_an_adapter_has_its_bases_processor_and_its_own_format(
    small_base: Path, tmp_path: Path
) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).touch()
    (tmp_path / "locvlm.json").write_text(json.dumps({"format": "nfp", "base": str(small_base)}))
    processor, written = load_processor(str(tmp_path))
    assert processor.image_processor.size["height"] == 56
    assert written.name == "nfp"


def test_a_format_is_written_as_the_model_learned_it(tmp_path: Path) -> None:
    """`--format ivb` names the format; its steps are the model's where it speaks it."""
    ModelSettings(format="ivb", options={"bins": 512}, base=str(tmp_path)).write(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert format_for(tmp_path, "ivb") == coordinates.get("ivb", bins=512)
    assert format_for(tmp_path, "nfp") == coordinates.get("nfp")
    assert format_for("tiny-base", "ivb") == coordinates.get("ivb")


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none"):
        load_processor(str(tmp_path / "none"))


def test_only_a_llava_learns_to_read_clips(tmp_path: Path) -> None:
    model, processor = families.build("idefics3")
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    reason = "of models that read pictures only a LLaVA can learn to read clips"
    with pytest.raises(InputError, match=f"a Idefics3Processor; {reason}"):
        load_processor(tmp_path, frames=4)
    with pytest.raises(InputError, match=f"a idefics3; {reason}"):
        load_whole(tmp_path, torch.float32, clips=True)


def test_a_processor_that_needs_another_library(
    small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixtral's, without torchvision."""

    def load_stills(*args: Any, **options: Any) -> Any:
        raise ImportError("\nPixtralProcessor requires the Torchvision library\nSee there")

    monkeypatch.setattr(load, "load_stills", load_stills)
    with pytest.raises(InputError, match="requires the Torchvision library$"):
        load.load_processor(small_base)
