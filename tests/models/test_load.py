import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils.constants import DUMMY_TARGET_MODULES
from safetensors.torch import load_file, save_file

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.models import folders, load
from locvlm.models.folders import ModelSettings
from locvlm.models.load import Loaded, load_model
from locvlm.processors import frame_of

LANGUAGE = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|down_proj)"
SETTINGS = ModelSettings(format="ivb", options={"bins": 56}, base="../base")


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Float32 on every machine, so that sums can be compared."""
    monkeypatch.setattr(load, "fast_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def tuned(small_model: Loaded) -> torch.nn.Module:
    """The small model with LoRA and a projector that have learned something (random)."""
    lora = LoraConfig(r=4, target_modules=LANGUAGE, modules_to_save=["multi_modal_projector"])
    model = get_peft_model(copy.deepcopy(small_model.model), lora)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


@pytest.fixture
def adapter(tuned: torch.nn.Module, small_base: Path, tmp_path: Path) -> Path:
    """The folder that training leaves, beside a copy of its base."""
    folder = tmp_path / "adapter"
    tuned.save_pretrained(folder, save_embedding_layers=False)
    SETTINGS.write(folder)
    shutil.copytree(small_base, tmp_path / "base")
    return folder


def logits(model: torch.nn.Module, loaded: Loaded) -> torch.Tensor:
    image_token = loaded.model.config.image_token_id
    ids = torch.tensor([[5, *[image_token] * 16, 9, 7]])
    pixels = torch.linspace(-1, 1, 3 * 56 * 56).view(1, 3, 56, 56)
    with torch.inference_mode():
        return model(input_ids=ids, pixel_values=pixels).logits


def test_settings_come_back(tmp_path: Path):
    for settings in (ModelSettings(), SETTINGS, ModelSettings(format="nfp", base="tiny", frames=8)):
        settings.write(tmp_path)
        assert ModelSettings.read(tmp_path) == settings
    SETTINGS.write(tmp_path)
    assert json.loads((tmp_path / "locvlm.json").read_text()) == {
        "format": "ivb",
        "options": {"bins": 56},
        "base": "../base",
    }


def test_settings_missing(tmp_path: Path):
    with pytest.raises(InputError, match=r"locvlm\.json: missing"):
        ModelSettings.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("", "truncated"),
        ('{"format": "ivb"', "truncated"),
        ('{"format": 3}', r"\$\.format"),
        ('{"bins": 224}', "bins"),
    ],
)
def test_settings_malformed(tmp_path: Path, text: str, tells: str):
    (tmp_path / "locvlm.json").write_text(text)
    with pytest.raises(InputError, match=tells) as caught:
        ModelSettings.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert "locvlm.json" in str(caught.value)


def test_unknown_name_lists_the_known(tmp_path: Path):
    with pytest.raises(InputError, match=r"no model 'huge'.*tiny-base"):
        load_model("huge")
    with pytest.raises(InputError, match="no model"):
        load_model(tmp_path)  # an empty folder
    with pytest.raises(InputError, match="no model ''"):
        load_model("")


def test_names_are_folders_with_an_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders, "WEIGHTS", tmp_path)
    assert folders.names() == ["tiny-base"]
    for name in ("b", "a", "no-adapter"):
        (tmp_path / name).mkdir()
    for name in ("b", "a"):
        (tmp_path / name / "adapter_config.json").touch()
    assert folders.names() == ["a", "b", "tiny-base"]


def test_untrained_base_by_name(small_base: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders.tiny, "base_folder", lambda: small_base)
    assert load_model("tiny-base").name == "tiny-base"


def test_whole_model(small_base: Path, small_model: Loaded):
    loaded = load_model(small_base)
    assert torch.equal(logits(loaded.model, loaded), logits(small_model.model, small_model))
    assert frame_of(loaded.processor, (640, 480)).model == (56, 56)
    assert loaded.coordinates == coordinates.get("ivb", bins=56)  # the width of its picture
    assert loaded.name == str(small_base)
    assert not loaded.model.training


def test_whole_model_with_settings(small_base: Path, tmp_path: Path):
    folder = tmp_path / "whole"
    shutil.copytree(small_base, folder)
    ModelSettings(format="nfp").write(folder)
    assert load_model(folder).coordinates == coordinates.get("nfp")
    ModelSettings(format="polar").write(folder)
    with pytest.raises(InputError, match="unknown coordinate format 'polar'"):
        load_model(folder)


def test_whole_model_with_a_weight_missing(small_base: Path, tmp_path: Path):
    folder = tmp_path / "whole"
    shutil.copytree(small_base, folder)
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if "linear_1.weight" in name))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 weights are missing, such as .*linear_1\.weight"):
        load_model(folder)
    (folder / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(InputError, match="cannot load") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_weights_by_other_names(small_base: Path, tmp_path: Path):
    """As a merge leaves them that forgets to take PEFT's prefix off."""
    folder = Path(shutil.copytree(small_base, tmp_path / "base"))
    state = load_file(folder / "model.safetensors")
    named = {f"base_model.model.{name}": weight for name, weight in state.items()}
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="weights are missing.*; there is base_model.model."):
        load_model(folder)


@pytest.mark.parametrize("kind", ["bitsandbytes", "gptq", "awq", "hqq"])
def test_quantized_weights_need_their_package(kind: str, small_base: Path, tmp_path: Path):
    """Where it is there, no linear layer fits."""
    folder = Path(shutil.copytree(small_base, tmp_path / "base"))
    config = json.loads((folder / "config.json").read_bytes())
    settings = {"quant_method": kind, "bits": 4, "load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": settings}))
    with pytest.raises(InputError, match="transformers cannot load this model") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["nvfp9", ["awq"]])
def test_quantized_by_an_unknown_method(kind: object, small_base: Path, tmp_path: Path):
    folder = Path(shutil.copytree(small_base, tmp_path / "base"))
    config = json.loads((folder / "config.json").read_bytes())
    settings = {"quant_method": kind, "bits": 4}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": settings}))
    with pytest.raises(InputError, match="transformers knows no quant_method") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_tokenizer_of_another_model(small_base: Path, tmp_path: Path):
    folder = Path(shutil.copytree(small_base, tmp_path / "base"))
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | {"image_token_index": 99_999}))
    with pytest.raises(InputError, match="its tokenizer has .* an image is token 99999"):
        load_model(folder)


def test_code_in_a_folder_is_not_executed(small_base: Path, tmp_path: Path):
    folder, proof = tmp_path / "evil", tmp_path / "executed"
    shutil.copytree(small_base, folder)
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w')\nclass C: ...\n")
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "unheard-of"
    config["auto_map"] = {"AutoConfig": "evil.C", "AutoModelForImageTextToText": "evil.C"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="cannot load"):
        load_model(folder)
    assert not proof.exists()


@pytest.mark.parametrize("absolute", [False, True])
def test_adapter_is_merged(
    adapter: Path, tuned: torch.nn.Module, small_model: Loaded, absolute: bool
):
    if absolute:
        base = str(adapter.parent / "base")
        ModelSettings(format="ivb", options={"bins": 56}, base=base).write(adapter)
    loaded = load_model(str(adapter))
    assert loaded.coordinates == coordinates.get("ivb", bins=56)
    assert not any("lora" in name for name, _ in loaded.model.named_parameters())
    found = logits(loaded.model, loaded)
    torch.testing.assert_close(found, logits(tuned, loaded), rtol=1e-3, atol=1e-3)
    assert (found - logits(small_model.model, small_model)).abs().max() > 1  # it did something


def test_adapter_by_a_shipped_name(
    adapter: Path, small_base: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(folders, "WEIGHTS", adapter.parent)
    monkeypatch.setattr(folders.tiny, "base_folder", lambda: small_base)
    ModelSettings(options={"bins": 7}, base="tiny").write(adapter)
    loaded = load_model("adapter")
    assert (loaded.name, loaded.coordinates) == ("adapter", coordinates.get("ivb", bins=7))


def test_adapter_of_the_projector_alone(adapter: Path, tuned: torch.nn.Module, small_base: Path):
    """As stage 1 leaves it: a PEFT folder without low-rank updates."""
    path = adapter / "adapter_model.safetensors"
    weights = {k: v for k, v in load_file(path).items() if "lora" not in k}
    save_file(weights, path)
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["target_modules"] = DUMMY_TARGET_MODULES
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    found, base = (load_model(folder).model.model for folder in (adapter, small_base))
    trained = tuned.base_model.model.model.multi_modal_projector.modules_to_save["default"]
    assert torch.equal(found.multi_modal_projector.linear_1.weight, trained.linear_1.weight)
    for name, weight in base.language_model.state_dict().items():
        assert torch.equal(found.language_model.state_dict()[name], weight), name


def test_adapter_without_a_base(adapter: Path):
    ModelSettings().write(adapter)
    with pytest.raises(InputError, match="names no base"):
        load_model(adapter)
    ModelSettings(base="nowhere").write(adapter)
    with pytest.raises(InputError, match="base 'nowhere' is no model folder"):
        load_model(adapter)


def test_adapter_without_its_weights(adapter: Path):
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match=r"adapter_model\.safetensors: missing") as caught:
        load_model(adapter)
    assert "\n" not in str(caught.value)


def test_adapter_with_other_weights(adapter: Path):
    path = adapter / "adapter_model.safetensors"
    weights = load_file(path)
    lost = weights.pop(sorted(weights)[0])
    save_file(weights, path)
    with pytest.raises(InputError, match="1 weights are missing or have no place"):
        load_model(adapter)
    save_file(weights | {sorted(weights)[0]: lost.flatten()[:1]}, path)
    with pytest.raises(InputError, match="no adapter of"):
        load_model(adapter)


def test_numbers_too_large_for_fp16_are_no_answer(
    adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "fast_dtype", lambda: torch.float16)
    loaded = load_model(adapter)
    assert logits(loaded.model, loaded).dtype == torch.float16
    with torch.no_grad():
        loaded.model.model.multi_modal_projector.linear_2.weight.mul_(1e4)
    with pytest.raises(InputError, match="too large for fp16; set LOCVLM_PRECISION=fp32"):
        logits(loaded.model, loaded)


def test_broken_weights_give_no_answer(adapter: Path) -> None:
    loaded = load_model(adapter)
    logits(loaded.model, loaded)
    with torch.no_grad():
        loaded.model.model.multi_modal_projector.linear_2.weight[0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite, so it cannot answer; its weights are broken"):
        logits(loaded.model, loaded)
