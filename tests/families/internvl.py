"""InternVL3: tiles of 32 px and a thumbnail of the whole picture, Qwen2 for the language."""

from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    Qwen2Tokenizer,
)
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from locvlm.compat.image_processors import stills_only
from tests.families.spread import spread
from tests.families.tokens import byte_level

SIDE, PATCH = 32, 8  # pixels
TOKENS = (SIDE // PATCH // 2) ** 2  # of a tile: four patches make one
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
MARKS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}


def build() -> tuple[InternVLForConditionalGeneration, InternVLProcessor]:
    tokenizer = Qwen2Tokenizer(**byte_level(), extra_special_tokens=MARKS)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<box>", "</box>"]}
    )
    tokenizer.eos_token = "<|im_end|>"
    pictures = GotOcr2ImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=4
    )
    processor = stills_only(InternVLProcessor)(
        pictures, tokenizer, image_seq_length=TOKENS, chat_template=CHAT
    )
    config = InternVLConfig(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [SIDE, SIDE],
            "patch_size": [PATCH, PATCH],
        },
        text_config={
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        image_token_id=processor.image_token_id,
        image_seq_length=TOKENS,
        tie_word_embeddings=False,
    )
    return spread(InternVLForConditionalGeneration(config), tokenizer), processor
