"""Folders that PEFT, TRL or ms-swift wrote: no `locvlm.json`, other names, other kinds."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.models import load
from locvlm.models.folders import resolve_base_name
from locvlm.models.load import Loaded, load_model, load_processor
from locvlm.publishing.merge import merge
from locvlm.publishing.shrink import shrink

OLD_PATTERN = r"^(language_model)(?!.*(lm_head|output|emb)).*\.(q_proj|v_proj)"
NEW_PATTERN = r".*language_model.*\.(q_proj|v_proj)"
Change = Callable[[dict[str, Any], dict[str, torch.Tensor]], dict[str, torch.Tensor]]


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "fast_dtype", lambda: torch.float32)


@pytest.fixture
def base(small_base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_base, tmp_path / "base"))


def tune(model: torch.nn.Module, **settings: Any) -> torch.nn.Module:
    lora = LoraConfig(r=4, lora_alpha=6, **settings)
    tuned = get_peft_model(copy.deepcopy(model), lora)
    torch.manual_seed(1)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name or "magnitude" in name or "modules_to_save" in name:
            torch.nn.init.uniform_(weight, 0.1, 0.4)
    return tuned.eval()


def written(tuned: torch.nn.Module, base: Path, change: Change | None = None) -> Path:
    """The folder as another trainer leaves it; `change` rewrites settings and weights."""
    folder = base.parent / "adapter"
    tuned.save_pretrained(folder, save_embedding_layers=False)
    config, weights = folder / "adapter_config.json", folder / "adapter_model.safetensors"
    settings = json.loads(config.read_bytes()) | {"base_model_name_or_path": str(base)}
    if change is not None:
        save_file(change(settings, load_file(weights)), weights, metadata={"format": "pt"})
    config.write_text(json.dumps(settings))
    return folder


def old_names(settings: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """As LLaVA's were before transformers 4.52."""
    if isinstance(settings["target_modules"], str):
        settings["target_modules"] = OLD_PATTERN
    return {
        name.replace("model.model.language_model.", "model.language_model.model.").replace(
            "model.model.multi_modal_projector", "model.multi_modal_projector"
        ): value
        for name, value in state.items()
    }


KINDS = {
    "names": {"target_modules": ["q_proj", "v_proj"]},
    "pattern": {"target_modules": NEW_PATTERN},
    "rslora": {"target_modules": NEW_PATTERN, "use_rslora": True},
    "dora": {"target_modules": NEW_PATTERN, "use_dora": True},
    "saved": {"target_modules": NEW_PATTERN, "modules_to_save": ["multi_modal_projector"]},
    "ranks": {"target_modules": ["q_proj", "v_proj"], "rank_pattern": {"q_proj": 2}},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [None, old_names])
def test_every_kind_and_names_old_and_new(
    kind: str, change: Change | None, small_model: Loaded, base: Path
) -> None:
    tuned = tune(small_model.model, **KINDS[kind])
    loaded = load_model(written(tuned, base, change))
    expected = tuned.merge_and_unload().state_dict()
    changed = 0
    for name, weight in loaded.model.state_dict().items():
        torch.testing.assert_close(weight, expected[name], atol=1e-5, rtol=1e-5)
        changed += not torch.equal(weight, small_model.model.state_dict()[name])
    assert changed >= 4


def test_format_is_its_base_s_and_that_is_said(
    small_model: Loaded, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tune(small_model.model, **KINDS["names"]), base)
    _, speech = load_processor(folder)
    assert speech == load_processor(base)[1]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no locvlm.json" in said
    assert "--format" in said
    assert resolve_base_name(folder) == str(base)
    assert load_processor(folder, speech=small_model.coordinates)[1] is small_model.coordinates
    assert capsys.readouterr().err == ""


def test_a_base_may_be_named_as_seen_from_here(
    small_model: Loaded, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(base.parent)
    folder = written(tune(small_model.model, **KINDS["names"]), Path("base").resolve())
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_bytes())
    for named in ("base", "../base"):
        config.write_text(json.dumps(settings | {"base_model_name_or_path": named}))
        load_processor(folder)
        assert Path(resolve_base_name(folder)).resolve() == base
    for named, tells in ((None, "names no base"), ("gone", "'gone' is no model folder")):
        config.write_text(json.dumps(settings | {"base_model_name_or_path": named}))
        with pytest.raises(InputError, match=tells):
            load_processor(folder)


def test_a_config_of_the_base_beside_it_hides_no_adapter(small_model: Loaded, base: Path) -> None:
    tuned = tune(small_model.model, **KINDS["names"])
    folder = written(tuned, base)
    shutil.copy(base / "config.json", folder)
    name = "model.language_model.layers.0.self_attn.q_proj.weight"
    weight = load_model(folder).model.state_dict()[name]
    assert not torch.equal(weight, small_model.model.state_dict()[name])


def lose(settings: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(sorted(state.items())[1:])


def add(settings: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return state | {"base_model.model.tower.0.q_proj.lora_A.weight": torch.zeros(4, 64)}


def lose_old(settings: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return lose(settings, old_names(settings, state))


def add_old(settings: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return add(settings, old_names(settings, state))


@pytest.mark.parametrize("change", [lose, add, lose_old, add_old])
@pytest.mark.parametrize("kind", ["names", "pattern", "dora", "saved"])
def test_no_weight_is_left_out(kind: str, change: Change, small_model: Loaded, base: Path) -> None:
    folder = written(tune(small_model.model, **KINDS[kind]), base, change)
    with pytest.raises(InputError, match="made for another base|no adapter of") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_it_is_merged_and_shrunk(small_model: Loaded, base: Path) -> None:
    folder = written(tune(small_model.model, **KINDS["pattern"]), base, old_names)
    merge(str(folder), base.parent / "merged", speech=coordinates.get("qwen3-vl"))
    settings = json.loads((base.parent / "merged" / "locvlm.json").read_bytes())
    assert settings == {"format": "qwen3-vl"}
    load_model(base.parent / "merged")
    shrink(str(folder), base.parent / "small", 3)
    assert not (base.parent / "small" / "locvlm.json").exists()
    load_model(base.parent / "small")


@pytest.mark.parametrize("name", ["non_lora_state_dict.bin", "non_lora_trainables.bin"])
def test_weights_beside_it_are_not_passed_over(name: str, small_model: Loaded, base: Path) -> None:
    folder = written(tune(small_model.model, **KINDS["names"]), base)
    (folder / name).write_bytes(b"")
    for use in (load_model, load_processor):
        with pytest.raises(InputError, match=f"{name}: weights that were trained beside"):
            use(folder)


@pytest.mark.parametrize(
    ("kind", "tells"),
    [
        ("PROMPT_TUNING", "'PROMPT_TUNING' cannot be merged"),
        ("PREFIX_TUNING", "'PREFIX_TUNING' cannot be merged"),
        ("SOMETHING_NEW", "'SOMETHING_NEW' is of no kind that PEFT knows"),
        (None, "None is of no kind that PEFT knows"),
    ],
)
def test_kinds_that_are_no_update_of_weights(
    kind: str | None, tells: str, small_model: Loaded, base: Path
) -> None:
    folder = written(tune(small_model.model, **KINDS["names"]), base)
    config = folder / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_bytes()) | {"peft_type": kind}))
    for use in (load_model, load_processor):
        with pytest.raises(InputError, match=f"peft_type {tells}; LocVLM takes") as caught:
            use(folder)
        assert "\n" not in str(caught.value)


def test_its_own_chat_template_asks(small_model: Loaded, base: Path) -> None:
    folder = written(tune(small_model.model, **KINDS["names"]), base)
    own = "{# own #}" + load_processor(base)[0].chat_template
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": own}))
    assert load_model(folder).processor.chat_template == own
    (folder / "tokenizer_config.json").write_text("{")
    with pytest.raises(InputError, match="its chat template cannot be read"):
        load_model(folder)
    (folder / "chat_template.jinja").write_text(own + "{# newer #}")
    assert load_model(folder).processor.chat_template == own + "{# newer #}"


def test_updates_of_word_embeddings(small_model: Loaded, base: Path) -> None:
    """PEFT saves the embeddings themselves as well."""
    tuned = tune(small_model.model, target_modules=["q_proj", "embed_tokens"])
    folder = base.parent / "adapter"
    tuned.save_pretrained(folder, save_embedding_layers=True)
    config = folder / "adapter_config.json"
    settings = json.loads(config.read_bytes())
    config.write_text(json.dumps(settings | {"base_model_name_or_path": str(base)}))
    found = load_model(folder).model.state_dict()
    for name, weight in tuned.merge_and_unload().state_dict().items():
        torch.testing.assert_close(found[name], weight, atol=1e-5, rtol=1e-5)
