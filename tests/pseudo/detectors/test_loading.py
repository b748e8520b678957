"""Folders of detectors: which are taken, and what is said of the others."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig

from locvlm.errors import InputError
from locvlm.pseudo.detectors import load, loading
from locvlm.pseudo.detectors.closed import ClosedSet
from tests.pseudo.detectors import tiny


@pytest.fixture
def detr(tmp_path: Path) -> Path:
    return tiny.build("detr", tmp_path / "detr")


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(str(folder))
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


def test_every_known_architecture_is_tried() -> None:
    """`tiny` builds one of each."""
    kinds = (*tiny.CLOSED, *tiny.OPEN, *tiny.PANOPTIC)
    assert len(kinds) == len(loading.FAMILIES)


def test_on_the_cpu_in_float32(detr: Path) -> None:
    rewrite(detr, dtype="float16")
    detector = load(str(detr))
    assert isinstance(detector, ClosedSet)
    assert detector._model.dtype == torch.float32
    assert not detector._model.training


def test_no_such_folder() -> None:
    with pytest.raises(InputError, match="no detector 'none': it is neither ssd, nor a folder"):
        load("none")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "transformers cannot load this detector" in refusal(tmp_path)


def test_no_detector(tmp_path: Path, small_base: Path) -> None:
    message = refusal(small_base)
    assert "LlavaForConditionalGeneration is no detector that is known; known are ssd" in message
    assert "DetrForObjectDetection" in message


def test_no_architecture(detr: Path) -> None:
    rewrite(detr, architectures=None)
    assert "? is no detector that is known" in refusal(detr)


def test_a_config_that_is_cut(detr: Path) -> None:
    (detr / "config.json").write_text('{"model_type": "detr"')
    assert "transformers cannot load this detector" in refusal(detr)


def test_no_weights(detr: Path) -> None:
    (detr / "model.safetensors").unlink()
    assert "transformers cannot load this detector" in refusal(detr)


def test_weights_that_are_cut(detr: Path) -> None:
    weights = detr / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "transformers cannot load this detector" in refusal(detr)


def test_weights_that_are_missing(detr: Path) -> None:
    weights = load_file(detr / "model.safetensors")
    dropped = sorted(name for name in weights if name.startswith("bbox_predictor"))
    save_file(
        {name: value for name, value in weights.items() if name not in dropped},
        detr / "model.safetensors",
        {"format": "pt"},
    )
    assert f"{len(dropped)} weights are missing, such as {dropped[0]}" in refusal(detr)


def test_no_processor(detr: Path) -> None:
    (detr / "preprocessor_config.json").unlink()
    assert "transformers cannot load this detector" in refusal(detr)


def test_a_backbone_of_timm(detr: Path) -> None:
    """As in facebook/detr-resnet-50; its revision no_timm has one of transformers."""
    backbone = {"model_type": "timm_backbone", "backbone": "resnet18", "out_indices": [4]}
    rewrite(detr, backbone_config=backbone)
    assert AutoConfig.from_pretrained(detr).backbone_config.model_type == "timm_backbone"
    assert "timm" in refusal(detr)


@pytest.mark.parametrize("kind", ["owlv2", "eomt", "mask2former", "maskformer", "oneformer"])
def test_without_scipy(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("scipy")
    folder = tiny.build(kind, tmp_path)
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    assert "needs SciPy; pip install 'locvlm[detect]'" in refusal(folder)


def test_one_former_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    folder = tiny.build("oneformer", tmp_path)
    path = folder / "processor_config.json"
    path = path if path.exists() else folder / "preprocessor_config.json"
    config = json.loads(path.read_text())
    images = config.get("image_processor", config)
    images |= {"class_info_file": "coco_panoptic.json", "repo_path": "nobody/nothing"}
    path.write_text(json.dumps(config))
    assert load(str(folder)).categories == tuple(tiny.PANOPTIC_NAMES.values())
