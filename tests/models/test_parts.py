"""The parts of models that call them as they like."""

import re

import pytest
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import Llama4TextConfig
from transformers.models.llama4.modeling_llama4 import Llama4Router

from locvlm.models.parts import adapter_modules, language_linears, part_of, pattern_of
from locvlm.training.adapters import add_adapter
from locvlm.training.recipe import LoraSettings


class Model(nn.Module):
    """What PEFT asks of a model that writes."""

    def prepare_inputs_for_generation(self) -> None:
        """Never called."""


def tree(*names: str) -> nn.Module:
    """Modules with linear layers of these full names."""
    root = Model()
    for name in names:
        at = root
        *parents, last = name.split(".")
        for parent in parents:
            if not hasattr(at, parent):
                at.add_module(parent, nn.Module())
            at = getattr(at, parent)
        at.add_module(last, nn.Linear(2, 2))
    return root


LAYERS = ("layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj", "layers.1.mlp.up_proj")
LAYOUTS = {  # of a model: encoder and adapter, then where the layers are
    "llava": (
        ("model.vision_tower.a.q_proj", "model.multi_modal_projector.b"),
        "model.language_model",
    ),
    "smolvlm": (("model.vision_model.a.q_proj", "model.connector.b"), "model.text_model"),
    "kosmos-2": (("vision_model.a.q_proj", "image_to_text_projection.b"), "text_model.model"),
    "idefics": (("model.vision_model.a.q_proj", "model.perceiver_resampler.b"), "model"),
    "lighton_ocr": (
        ("model.vision_encoder.a.q_proj", "model.vision_projection.b"),
        "model.language_model",
    ),
    "blip": (("vision_model.encoder.q_proj",), "text_decoder.bert"),
    "janus": (
        ("model.vision_model.a.q_proj", "model.aligner.layers.0", "model.generation_head.b"),
        "model.language_model",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("targets", [("all",), ("q_proj",)])
def test_only_the_language_model_is_updated(name: str, targets: tuple[str, ...]) -> None:
    others, where = LAYOUTS[name]
    model = tree(*others, *(f"{where}.{layer}" for layer in LAYERS), "lm_head")
    found = language_linears(model, targets)
    assert found == [f"{where}.{n}" for n in LAYERS if targets == ("all",) or "q_proj" in n]
    pattern = pattern_of(model, found)
    assert [n for n, _ in model.named_modules() if re.fullmatch(pattern, n)] == found
    assert not re.search(r"\d", pattern)  # of as many layers as there are
    if where.endswith("language_model"):
        assert pattern.startswith(".*language_model")
    assert part_of(others[0]) == "encoder"


def test_a_layer_that_is_called_by_a_number() -> None:
    """PEFT would take the whole first layer of the language model for it."""
    named = ("model.language_model.layers.0.mlp.0", "model.language_model.layers.0.mlp.2")
    model = tree("model.vision_tower.a", *named)
    found = language_linears(model, ("all",))
    assert found == list(named)
    tuned = get_peft_model(model, LoraConfig(r=1, target_modules=pattern_of(model, found)))  # type: ignore[arg-type]
    updated = {n.partition(".lora_")[0] for n, _ in tuned.named_parameters() if "lora_" in n}
    assert updated == {f"base_model.model.{name}" for name in named}


def test_a_router_that_gives_more_than_a_linear_layer_is_left_alone() -> None:
    config = Llama4TextConfig(hidden_size=4, num_local_experts=2)
    model = tree("model.vision_tower.a", *(f"model.language_model.{layer}" for layer in LAYERS))
    model.model.language_model.layers.add_module("router", Llama4Router(config))  # type: ignore[union-attr, operator]
    assert language_linears(model, ("all",)) == [f"model.language_model.{n}" for n in LAYERS]


def test_an_adapter_whose_name_is_the_end_of_anothers() -> None:
    model = tree("model.aligner.fc", "model.generation_aligner.fc", "model.language_model.q_proj")
    assert adapter_modules(model) == ["model.aligner"]
    tuned = add_adapter(model, LoraSettings(rank=1, targets=("q_proj",)))  # type: ignore[arg-type]
    assert tuned.peft_config["default"].modules_to_save == ["model.aligner"]
    saved = {n for n, _ in tuned.named_parameters() if ".modules_to_save." in n}
    assert {".aligner." in name for name in saved} == {True}
