"""Idefics3 (and the first SmolVLM): tiles of 32 px, an overview, and tokens that name the tiles."""

from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    Qwen2Tokenizer,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from tests.families.spread import spread
from tests.families.tokens import byte_level

SIDE, PATCH = 32, 8  # pixels
TOKENS = (SIDE // PATCH // 2) ** 2  # of a tile: four patches make one
SPECIALS = [
    "<|im_start|>",
    "<end_of_utterance>",
    "<fake_token_around_image>",
    "<image>",
    "<global-img>",
    *(f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)),
]
CHAT = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def build() -> tuple[Idefics3ForConditionalGeneration, Idefics3Processor]:
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = Idefics3Processor(pictures, tokenizer(), image_seq_len=TOKENS, chat_template=CHAT)
    config = Idefics3Config(**settings(processor))
    return spread(Idefics3ForConditionalGeneration(config), processor.tokenizer), processor


def tokenizer() -> Qwen2Tokenizer:
    made = Qwen2Tokenizer(**byte_level())
    made.add_special_tokens({"additional_special_tokens": SPECIALS})
    made.eos_token = "<end_of_utterance>"
    return made


def settings(processor: Idefics3Processor) -> dict[str, object]:
    return {
        "vision_config": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        "text_config": {
            "model_type": "llama",
            "vocab_size": len(processor.tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "pad_token_id": processor.tokenizer.pad_token_id,
        },
        "image_token_id": processor.image_token_id,
        "scale_factor": 2,
    }
