"""LLaVA-NeXT (1.6): LLaVA with tiles; an overview of the whole picture and up to four tiles."""

from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration, LlavaNextProcessor
from transformers.models.llava_next.image_processing_pil_llava_next import (
    LlavaNextImageProcessorPil,
)

from tests.families.llava import PATCH, SIDE, clip_config, llama_config, llama_tokenizer
from tests.families.spread import spread

PINPOINTS = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]  # height, width

# Mistral's form
CHAT = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' }}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{{ ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'][0]['text'] + '</s>' }}{% endif %}"
    "{% endfor %}"
)


def build() -> tuple[LlavaNextForConditionalGeneration, LlavaNextProcessor]:
    tokenizer = llama_tokenizer()
    processor = LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": SIDE},
            crop_size={"height": SIDE, "width": SIDE},
            image_grid_pinpoints=PINPOINTS,
        ),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )
    config = LlavaNextConfig(
        vision_config=clip_config(),
        text_config=llama_config(tokenizer),
        image_token_index=processor.image_token_id,
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=(SIDE // PATCH) ** 2,
    )
    return spread(LlavaNextForConditionalGeneration(config), tokenizer), processor
