"""Qwen3-VL: patches of 16 px, no system turn, and the picture once more in the first layers."""

from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

from tests.families.qwen2_vl import ANSWER, TURNS, make_processor, text_config, token_ids
from tests.families.spread import spread

ROPE = {
    "rope_type": "default",
    "rope_theta": 10000.0,
    "mrope_section": [2, 1, 1],
    "mrope_interleaved": True,
}
CHAT = "{% for message in messages %}" + TURNS + "{% endfor %}" + ANSWER


def build() -> tuple[Qwen3VLForConditionalGeneration, Qwen3VLProcessor]:
    processor = make_processor(Qwen3VLProcessor, CHAT, patch=16)
    text = text_config(processor) | {"rope_parameters": ROPE, "head_dim": 8}
    del text["bos_token_id"]
    config = Qwen3VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        text_config=text,
        **token_ids(processor),
    )
    return spread(Qwen3VLForConditionalGeneration(config), processor.tokenizer), processor
