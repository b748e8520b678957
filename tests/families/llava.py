"""LLaVA-1.5: CLIP, two layers between, Llama; pictures are cropped to a square of 56 px."""

from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlamaTokenizer,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.families.spread import spread
from tests.families.tokens import sentencepiece

SIDE, PATCH = 56, 14  # pixels

# In the published form: no end of turn, a space after every text, none after ASSISTANT:
CHAT = (
    "{% for message in messages %}"
    "{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}"
    "{{ part['text'] + ' ' }}{% endfor %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def build() -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    tokenizer = llama_tokenizer()
    processor = LlavaProcessor(
        CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        ),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )
    config = LlavaConfig(
        vision_config=clip_config(),
        text_config=llama_config(tokenizer),
        image_token_index=processor.image_token_id,
        image_seq_length=(SIDE // PATCH) ** 2,
    )
    return spread(LlavaForConditionalGeneration(config), tokenizer), processor


def llama_tokenizer() -> LlamaTokenizer:
    tokenizer = LlamaTokenizer(
        **sentencepiece(["<unk>", "<s>", "</s>"]), pad_token="<unk>", add_bos_token=True
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return tokenizer


def llama_config(tokenizer: LlamaTokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )


def clip_config() -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=PATCH,
    )
