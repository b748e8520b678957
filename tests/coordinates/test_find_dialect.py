"""Which dialect a model speaks: from its name, its folder, its configuration, its processor."""

import json
from pathlib import Path
from typing import Any

import pytest

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame
from locvlm.processors import frame_of
from tests import families

SIZE = (640, 427)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen-VL-Chat", "qwen-vl"),
        ("Qwen/Qwen2-VL-2B-Instruct", "qwen2-vl"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "qwen2.5-vl"),
        ("Qwen/Qwen2.5-VL-72B-Instruct-AWQ", "qwen2.5-vl"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen3-vl"),
        ("unsloth/Qwen3-VL-8B-Instruct", "qwen3-vl"),
        ("google/paligemma-3b-mix-224", "paligemma"),
        ("google/paligemma2-10b-pt-448", "paligemma"),
        ("microsoft/Florence-2-large", "florence-2"),
        ("microsoft/kosmos-2-patch14-224", "kosmos-2"),
        ("llava-hf/llava-1.5-7b-hf", "llava-1.5"),
        ("liuhaotian/llava-v1.5-13b", "llava-1.5"),
        ("allenai/Molmo-7B-D-0924", "molmo"),
        ("allenai/MolmoE-1B-0924", "molmo"),
        ("THUDM/cogvlm-grounding-generalist-hf", "cogvlm"),
        ("Vision-CAIR/MiniGPT-v2", "minigpt-v2"),
        ("OpenGVLab/InternVL2_5-8B", "internvl"),
        ("OpenGVLab/InternVL3_5-8B-HF", "internvl"),
        ("OpenGVLab/Mini-InternVL-Chat-2B-V1-5", "internvl"),
        ("zai-org/GLM-4.5V", "glm-4v"),
        ("THUDM/GLM-4.1V-9B-Thinking", "glm-4v"),
        ("deepseek-ai/deepseek-vl2-small", "deepseek-vl2"),
        ("gemini-2.5-flash", "gemini"),
        ("models/gemini-2.0-flash", "gemini"),
        ("shikras/shikra-7b-delta-v1", "shikra"),
        ("apple/ferret-13b-v1-3", "ferret"),
        ("jadechoghari/Ferret-UI-Gemma2b", "ferret"),
    ],
)
def test_a_models_name(model: str, name: str) -> None:
    dialect, frame = coordinates.for_model(model)
    assert dialect == coordinates.get(name)
    assert frame(SIZE) == dialect.frame(SIZE)


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt2",
        "Qwen/Qwen2.5-7B-Instruct",
        "Qwen/Qwen2.5-Omni-7B",
        "Qwen/Qwen-VL-Max",
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "llava-hf/llava-onevision-qwen2-7b-ov-hf",
        "microsoft/kosmos-2.5",
        "allenai/Molmo2-8B",
        "THUDM/cogvlm2-llama3-chat-19B",
        "zai-org/GLM-4.5-Air",
        "InternRobotics/InternVLA-M1",
        "deepseek-ai/deepseek-vl-7b-chat",
        "me/qwen2-vl-to-qwen3-vl",  # two families
    ],
)
def test_an_unknown_name_says_what_is_known(model: str) -> None:
    with pytest.raises(InputError, match="no family whose coordinates are known") as caught:
        coordinates.for_model(model)
    message = str(caught.value)
    assert all(name in message for name in coordinates.dialects())
    assert "choose by hand: coordinates.get(NAME)" in message
    assert "\n" not in message


def folder(path: Path, config: Any, processor: Any = None) -> Path:
    (path / "config.json").write_text(json.dumps(config))
    if processor is not None:
        (path / "preprocessor_config.json").write_text(json.dumps(processor))
    return path


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"model_type": "kosmos-2"}, "kosmos-2"),
        ({"model_type": "florence2"}, "florence-2"),
        ({"model_type": "paligemma"}, "paligemma"),
        ({"model_type": "qwen2_vl"}, "qwen2-vl"),
        ({"model_type": "qwen2_5_vl"}, "qwen2.5-vl"),
        ({"model_type": "qwen3_vl_moe"}, "qwen3-vl"),
        ({"model_type": "internvl_chat"}, "internvl"),
        ({"model_type": "internvl"}, "internvl"),
        ({"model_type": "molmo", "architectures": ["MolmoForCausalLM"]}, "molmo"),
        ({"model_type": "glm4v_moe"}, "glm-4v"),
        ({"model_type": "deepseek_vl_v2"}, "deepseek-vl2"),
        ({"model_type": "shikra"}, "shikra"),
        ({"model_type": "qwen", "visual": {"image_size": 448}}, "qwen-vl"),
        ({"model_type": "chatglm", "vision_config": {}}, "glm-4v"),
        ({"architectures": ["CogVLMForCausalLM"]}, "cogvlm"),
        ({"model_type": "llava"}, "llava-1.5"),
        ({"model_type": "llava", "image_aspect_ratio": "pad"}, "llava-1.5"),
    ],
)
def test_a_folder(tmp_path: Path, config: dict[str, Any], name: str) -> None:
    assert coordinates.for_model(folder(tmp_path, config)).dialect.name == name
    assert coordinates.for_model(str(tmp_path)).dialect.name == name


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": None, "architectures": None},
        {"model_type": "llama"},
        {"model_type": "qwen"},
        {"model_type": "kosmos-2.5"},
        {"model_type": "molmo2"},
        {"model_type": "llava_next"},
        {"model_type": "llava", "image_aspect_ratio": "anyres"},
        {"model_type": "llava", "vision_config": {"model_type": "pixtral"}},
        {"model_type": "llava", "text_config": {"model_type": "mistral"}},
    ],
)
def test_an_unknown_folder_names_its_file(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"config\.json: a model of type .* choose by hand"):
        coordinates.for_model(folder(tmp_path, config))


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_a_broken_folder(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json: no JSON.*; download the model again"):
        coordinates.for_model(tmp_path)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json: No such file.*; give a model's folder"):
        coordinates.for_model(tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"min_pixels": 784, "max_pixels": 78400},
        {"size": {"shortest_edge": 784, "longest_edge": 78400}},
    ],
)
def test_the_settings_of_a_folder_decide_what_qwen2_5_vl_sees(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    model = folder(tmp_path, {"model_type": "qwen2_5_vl"}, settings)
    dialect, frame = coordinates.for_model(model)
    assert dialect.options == {"min_pixels": 784, "max_pixels": 78400}
    assert frame((1000, 1000)).model == (280, 280)
    own = coordinates.for_model(model, max_pixels=7840).frame((1000, 1000))
    assert own.model == (84, 84)


def test_a_folder_as_transformers_saves_it(tmp_path: Path) -> None:
    model, processor = families.build("qwen2_5_vl")
    model.config.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    dialect, frame = coordinates.for_model(tmp_path)
    assert dialect.options == {"min_pixels": 28**2, "max_pixels": 9 * 28**2}
    assert frame(SIZE) == frame_of(processor, SIZE)


def test_options_of_the_dialect() -> None:
    assert coordinates.for_model("allenai/Molmo-7B-D-0924", label="dog").dialect.options == {
        "label": "dog"
    }
    with pytest.raises(InputError, match="paligemma has no option 'bins'"):
        coordinates.for_model("google/paligemma-3b-mix-224", bins=7)


# Configurations and processors of transformers


def test_a_configuration() -> None:
    transformers = pytest.importorskip("transformers")
    for config, name in [
        (transformers.Qwen2_5_VLConfig(), "qwen2.5-vl"),
        (transformers.LlavaConfig(), "llava-1.5"),
        (transformers.Kosmos2Config(), "kosmos-2"),
    ]:
        assert coordinates.for_model(config).dialect.name == name
    with pytest.raises(InputError, match="LlamaConfig: a model of type llama"):
        coordinates.for_model(transformers.LlamaConfig())


def processor(name: str, image_processor: Any) -> Any:
    """A processor of a class of transformers, without the files that its tokenizer needs."""
    transformers = pytest.importorskip("transformers")
    made = object.__new__(getattr(transformers, name))
    made.image_processor = image_processor
    return made


def test_a_processor_decides_what_qwen2_5_vl_sees() -> None:
    transformers = pytest.importorskip("transformers")
    seen = transformers.Qwen2VLImageProcessorPil(size={"shortest_edge": 784, "longest_edge": 78400})
    dialect, frame = coordinates.for_model(processor("Qwen2_5_VLProcessor", seen))
    assert dialect.name == "qwen2.5-vl"
    assert frame((1000, 1000)).model == (280, 280)


def test_a_processor_that_crops_is_believed_over_the_dialects_own_frame() -> None:
    """The hub's LLaVA-1.5 crops where the original pads: the model sees what is left."""
    transformers = pytest.importorskip("transformers")
    crops = transformers.CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size=336)
    dialect, frame = coordinates.for_model(processor("LlavaProcessor", crops))
    assert dialect.name == "llava-1.5"
    assert frame(SIZE) == Frame.center_crop(SIZE, 336, 336)
    assert frame(SIZE) != dialect.frame(SIZE)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Kosmos2Processor", "kosmos-2"),
        ("Florence2Processor", "florence-2"),
        ("PaliGemmaProcessor", "paligemma"),
        ("Qwen2VLProcessor", "qwen2-vl"),
        ("Qwen3VLProcessor", "qwen3-vl"),
        ("InternVLProcessor", "internvl"),
        ("Glm4vProcessor", "glm-4v"),
    ],
)
def test_a_processors_class(kind: str, name: str) -> None:
    dialect, frame = coordinates.for_model(processor(kind, None))
    assert dialect.name == name
    assert frame(SIZE) == Frame.identity(SIZE)


@pytest.mark.parametrize("kind", ["LlavaNextProcessor", "Kosmos2_5Processor", "CLIPProcessor"])
def test_an_unknown_processor(kind: str) -> None:
    with pytest.raises(InputError, match=f"a {kind} is of no family"):
        coordinates.for_model(processor(kind, None))


def test_something_else() -> None:
    with pytest.raises(InputError, match="a int is of no family"):
        coordinates.for_model(7)


# What to ask or teach a model in


@pytest.mark.parametrize(
    ("name", "format_", "options"),
    [
        ("florence_2", "florence-2", {}),
        ("idefics3", "ivb", {"bins": 1000}),
        ("internvl", "internvl", {}),
        ("llava", "llava-1.5", {}),
        ("llava_next", "ivb", {"bins": 1000}),
        ("paligemma", "paligemma", {}),
        ("qwen2_5_vl", "qwen2.5-vl", {"min_pixels": 28**2, "max_pixels": 9 * 28**2}),
        ("qwen2_vl", "qwen2-vl", {}),
        ("qwen3_vl", "qwen3-vl", {}),
    ],
)
def test_the_default_of_a_family(name: str, format_: str, options: dict[str, Any]) -> None:
    model, processor = families.build(name)
    spoken = coordinates.get(format_, **options)
    assert coordinates.default_for(processor) == spoken
    known = coordinates.default_for(processor, model.config)
    assert (known.name, known.frame_on(processor, SIZE)) == (
        spoken.name,
        spoken.frame_on(processor, SIZE),
    )


def test_a_model_of_another_eye_is_no_llava_1_5() -> None:
    """It has LLaVA's processor, but was never taught LLaVA's coordinates."""
    transformers = pytest.importorskip("transformers")
    _, shown = families.build("llava")
    assert coordinates.default_for(shown, transformers.LlavaConfig()).name == "llava-1.5"
    config = transformers.LlavaConfig(vision_config={"model_type": "dinov2"})
    assert coordinates.default_for(shown, config) == coordinates.get("ivb", bins=56)


@pytest.mark.parametrize("spoken", ["ivb", "nfp", "diga"])
def test_our_formats_on_every_family(spoken: str) -> None:
    """What is in the middle half of a picture that is shown whole is so in every format."""
    form = coordinates.get(spoken)
    whole = form.encode(Box(200, 100, 400, 300), (640, 427))
    for name in families.names():
        frame = form.frame_on(families.build(name)[1], (640, 427))
        same = form.encode(Box(200, 100, 400, 300), frame) == whole
        assert same == (name != "llava"), name  # which crops the sides


def test_dialects_of_the_whole_picture_do_not_mind_a_crop() -> None:
    _, crops = families.build("llava")
    assert coordinates.get("internvl").frame_on(crops, SIZE) == Frame.identity(SIZE)
    assert coordinates.get("llava-1.5").frame_on(crops, SIZE) == Frame.center_crop(SIZE, 56, 56)
