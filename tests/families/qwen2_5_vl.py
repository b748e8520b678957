"""Qwen2.5-VL: Qwen2-VL whose picture is read in windows, and whose boxes are pixels."""

from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
)

from tests.families.qwen2_vl import CHAT, ROPE, make_processor, text_config, token_ids
from tests.families.spread import spread


def build() -> tuple[Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLProcessor]:
    processor = make_processor(Qwen2_5_VLProcessor, CHAT)
    config = Qwen2_5_VLConfig(
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "out_hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        text_config=text_config(processor) | {"rope_parameters": ROPE},
        **token_ids(processor),
    )
    return spread(Qwen2_5_VLForConditionalGeneration(config), processor.tokenizer), processor
