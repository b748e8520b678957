"""Qwen2-VL: patches of 14 px merged by fours, any size, positions in time, height and width."""

from transformers import (
    ProcessorMixin,
    Qwen2Tokenizer,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from locvlm.compat.image_processors import stills_only
from tests.families.spread import spread
from tests.families.tokens import byte_level

MERGED = 28  # pixels a side that become one token
SPECIALS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
]
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}

# Without its turns for videos and numbered pictures
TURNS = (
    "<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n"
)
ANSWER = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
SYSTEM = (
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
)
CHAT = "{% for message in messages %}" + SYSTEM + TURNS + "{% endfor %}" + ANSWER


def build() -> tuple[Qwen2VLForConditionalGeneration, Qwen2VLProcessor]:
    processor = make_processor(Qwen2VLProcessor, CHAT)
    config = Qwen2VLConfig(
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
        },
        text_config=text_config(processor) | {"rope_parameters": ROPE},
        **token_ids(processor),
    )
    return spread(Qwen2VLForConditionalGeneration(config), processor.tokenizer), processor


def make_processor(kind: type[ProcessorMixin], chat: str, patch: int = 14) -> ProcessorMixin:
    """A processor of one of the Qwen families; pictures of 1 to 9 tokens."""
    tokenizer = Qwen2Tokenizer(**byte_level())
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIALS})
    tokenizer.eos_token = "<|im_end|>"
    side = 2 * patch
    pictures = Qwen2VLImageProcessorPil(
        patch_size=patch, size={"shortest_edge": side**2, "longest_edge": 9 * side**2}
    )
    return stills_only(kind)(pictures, tokenizer, chat_template=chat)


def text_config(processor: ProcessorMixin) -> dict[str, object]:
    return {
        "vocab_size": len(processor.tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "bos_token_id": None,
        "eos_token_id": processor.tokenizer.eos_token_id,
    }


def token_ids(processor: ProcessorMixin) -> dict[str, int]:
    find = processor.tokenizer.convert_tokens_to_ids
    return {
        "image_token_id": find("<|image_pad|>"),
        "video_token_id": find("<|video_pad|>"),
        "vision_start_token_id": find("<|vision_start|>"),
        "vision_end_token_id": find("<|vision_end|>"),
    }
