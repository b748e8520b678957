"""A LLaVA of a tiny CLIP and a tiny Llama, both in folders as from the hub."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoProcessor,
    BertConfig,
    BertModel,
    CLIPModel,
    LlamaForCausalLM,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame
from locvlm.models.assembly import assemble
from locvlm.models.chat_template import chat_of
from locvlm.models.load import load_model, load_processor
from locvlm.processors import frame_of
from locvlm.publishing.merge import merge
from locvlm.training.adapters import choose_trained
from locvlm.training.train import train
from tests.families.llava import SIDE
from tests.families.parts import write_clip, write_llama
from tests.processors.seeing import lit

# Of a language model: contents are text
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("llama"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tied", [True, False])
def test_the_parts_are_the_pretrained_ones(
    encoder: Path, tmp_path: Path, tied: bool, dtype: torch.dtype
) -> None:
    language = write_llama(tmp_path, tied=tied)
    model, processor = assemble(str(encoder), str(language), dtype=dtype)
    assert {tensor.dtype for tensor in model.parameters()} == {dtype}
    assert model.config.dtype == dtype  # what it will be saved in
    tower = CLIPModel.from_pretrained(encoder, dtype=dtype).vision_model.state_dict()
    ours = model.model.vision_tower.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in tower.items())
    llm = LlamaForCausalLM.from_pretrained(language, dtype=dtype)
    known = llm.config.vocab_size
    assert len(processor.tokenizer) == known + 1  # the picture's
    assert torch.equal(model.lm_head.weight[:known], llm.lm_head.weight)
    assert torch.equal(model.get_input_embeddings().weight[:known], llm.model.embed_tokens.weight)
    same = model.lm_head.weight.data_ptr() == model.get_input_embeddings().weight.data_ptr()
    assert same == tied


def test_a_linear_adapter_is_linear(encoder: Path, language: Path) -> None:
    def bend(adapter: Any) -> float:
        model, _ = assemble(str(encoder), str(language), adapter=adapter, dtype=torch.float32)
        project = model.model.multi_modal_projector
        a, b = torch.randn(2, 1, 32, generator=torch.Generator().manual_seed(0))
        middle = (project(a) + project(b)) / 2
        return float((project((a + b) / 2) - middle).detach().abs().max())

    assert bend("linear") < 1e-6
    assert bend("mlp") > 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_linear_adapter_is_one_layer(encoder: Path, language: Path, dtype: torch.dtype) -> None:
    """Exactly, in any precision; of the two layers that transformers has, one is ever trained."""
    model, _ = assemble(str(encoder), str(language), adapter="linear", dtype=dtype)
    project = model.model.multi_modal_projector
    given = torch.randn(5, 32, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert torch.equal(project(given), project.linear_1(given))
    choose_trained(model, {"adapter"})
    trained = {name.rpartition("projector.")[2] for name, p in _trained(model)}
    assert trained == {"linear_1.weight", "linear_1.bias"}
    choose_trained(model, {"encoder", "adapter", "language"})
    fixed = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert {name.rpartition("projector.")[2] for name in fixed} == {
        "linear_2.weight",
        "linear_2.bias",
    }


def _trained(model: Any) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


def test_a_linear_adapter_stays_one_layer(
    small_run: Path, encoder: Path, language: Path, tmp_path: Path
) -> None:
    """Through a stage, a merge, a stage of all of the model and of clips: the identity is exact."""
    parts = f"parts={{encoder: {encoder}, language: {language}, adapter: linear}}"
    given = ["model=", parts, "options={bins: 56}", "lora={rank: 2, targets: [all]}"]
    rate = STAGES.replace("steps: 2", "steps: 2, learning_rate: 0.01")
    adapter = train(small_run, [*given, rate % "adapter+lora", "out=one"])
    merge(str(adapter), tmp_path / "merged")
    goes_on = ["model=./merged", *given[3:]]
    whole = train(small_run, [*goes_on, rate % "adapter+language", "out=two"])
    clips = [*goes_on, "frames=2", "model=./two/model"]
    last = train(small_run, [*clips, rate % "adapter", "out=three"])
    first = load_model(adapter).model.model.multi_modal_projector.linear_1.weight
    for folder in (adapter, tmp_path / "merged", whole, last):
        model: Any = load_model(folder).model
        assert model.config.single_linear_projector is True
        second = model.model.multi_modal_projector.linear_2
        assert torch.equal(second.weight, torch.eye(32).to(second.weight.dtype))
        assert not second.bias.any()
    assert not torch.equal(model.model.multi_modal_projector.linear_1.weight, first)


def test_the_adapter_reads_several_layers(encoder: Path, language: Path) -> None:
    model, _ = assemble(str(encoder), str(language), layers=(-2, -1))
    assert model.config.vision_feature_layer == [-2, -1]
    assert model.model.multi_modal_projector.linear_1.in_features == 2 * 32


def test_without_a_template_it_speaks_as_llava(encoder: Path, language: Path) -> None:
    chat = chat_of(assemble(str(encoder), str(language))[1])
    assert (chat.before, chat.between) == ("USER: <image>\n", " ASSISTANT:")
    assert chat.after == "</s>"


def test_a_language_models_own_template_shows_the_picture(encoder: Path, tmp_path: Path) -> None:
    language = write_llama(tmp_path, template=CHATML)
    _, processor = assemble(str(encoder), str(language))
    chat = chat_of(processor)
    assert chat.before == "<|im_start|>user\n<image>\n"
    assert (chat.between, chat.after) == ("<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>")
    alone = [{"role": "user", "content": "Hello"}]  # text is still text
    assert processor.apply_chat_template(alone) == "<|im_start|>user\nHello<|im_end|>\n"


SHAPES = [(160, 40), (40, 160), (64, 48)]  # wide, tall, a photo's


@pytest.mark.parametrize("size", SHAPES)
def test_it_sees_the_corners_of_any_picture(
    encoder: Path, language: Path, size: tuple[int, int]
) -> None:
    """CLIP's own processor cuts the middle out; ours stretches the whole to the same square."""
    images = assemble(str(encoder), str(language))[1].image_processor
    width, height = size
    assert frame_of(images, size) == Frame.resize(size, SIDE)
    cropping = CLIPImageProcessorPil.from_pretrained(encoder)
    for x in (0, width - 1):
        for y in (0, height - 1):
            corner = Box(x, y, x + 1, y + 1)
            bright = lit(images, corner, size)
            assert bright.shape == (SIDE, SIDE)
            row, column = (int(n[0]) for n in (bright == bright.max()).nonzero())
            assert bright.max() > 0.1
            assert (column < SIDE / 2, row < SIDE / 2) == (x == 0, y == 0)
            assert lit(cropping, corner, size).max() < 0.05


def test_any_tool_reads_it_whole_saved_and_merged(
    encoder: Path, language: Path, tmp_path: Path
) -> None:
    model, processor = assemble(str(encoder), str(language))
    for part in (model, processor):
        part.save_pretrained(tmp_path / "saved")
    merge(str(tmp_path / "saved"), tmp_path / "merged")
    for folder in ("saved", "merged"):
        plain = AutoProcessor.from_pretrained(tmp_path / folder, backend="pil").image_processor
        ours = load_processor(tmp_path / folder)[0].image_processor
        for images in (plain, ours):
            assert frame_of(images, (160, 40)) == Frame.resize((160, 40), SIDE)
            assert images.crop_size["height"] == SIDE  # by which vLLM counts its tokens


def test_an_encoder_whose_crop_cannot_be_switched_off(
    encoder: Path, language: Path, tmp_path: Path
) -> None:
    shutil.copytree(encoder, tmp_path / "odd")
    images = CLIPImageProcessorPil(do_resize=False, do_center_crop=False, do_pad=True)
    images.pad_size = {"height": SIDE, "width": SIDE}
    images.save_pretrained(tmp_path / "odd")
    with pytest.raises(InputError, match=r"odd: whole_images: CLIPImage\w+ leaves out parts"):
        assemble(str(tmp_path / "odd"), str(language))


def test_parts_that_are_none(encoder: Path, language: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: transformers cannot load it"):
        assemble(str(tmp_path / "none"), str(language))
    with pytest.raises(InputError, match="transformers cannot load it"):
        assemble(str(encoder), str(encoder))
    BertModel(
        BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    ).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="is no encoder of pictures"):
        assemble(str(tmp_path), str(language))


STAGES = "stages={a: {trains: %s, steps: 2, images: 2, questions: {locpred: 1}}}"


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["linear", "mlp"])
@pytest.mark.parametrize("trains", ["adapter", "adapter+lora", "adapter+language"])
def test_a_recipe_of_parts(
    small_run: Path, encoder: Path, language: Path, adapter: str, trains: str
) -> None:
    """Trained, saved, loaded again; two runs begin with the same new adapter."""
    parts = f"parts={{encoder: {encoder}, language: {language}, adapter: {adapter}}}"
    given = ["model=", parts, "lora={rank: 2, targets: [all]}", STAGES % trains]
    one = load_model(train(small_run, [*given, "out=one"])).model.state_dict()
    other = load_model(train(small_run, [*given, "out=other"])).model.state_dict()
    assert all(torch.equal(other[name], value) for name, value in one.items())
