"""Gemma 3: the tokens of a picture see each other, both ways; its token types mark them with 1."""

from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    GemmaTokenizer,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

from tests.families.spread import spread
from tests.families.tokens import sentencepiece

SIDE, PATCH = 84, 14  # pixels
TOKENS = (SIDE // PATCH // 2) ** 2  # four patches make one
CHAT = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<start_of_image>{% else %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MARKS = {
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}
VISION = {
    "model_type": "siglip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
    "vision_use_head": False,
}


def build() -> tuple[Gemma3ForConditionalGeneration, Gemma3Processor]:
    processor = make_processor()
    tokenizer = processor.tokenizer
    config = Gemma3Config(
        vision_config=VISION,
        text_config=text_config(tokenizer),
        mm_tokens_per_image=TOKENS,
        image_token_index=tokenizer.image_token_id,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        tie_word_embeddings=False,  # with random ones, it would say one word for ever
    )
    return spread(Gemma3ForConditionalGeneration(config), tokenizer), processor


def make_processor() -> Gemma3Processor:
    """Also T5Gemma 2's."""
    tokenizer = GemmaTokenizer(
        **sentencepiece(["<pad>", "<eos>", "<bos>", "<unk>"]), extra_special_tokens=MARKS
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<start_of_turn>", "<end_of_turn>"]}
    )
    pictures = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return Gemma3Processor(pictures, tokenizer, chat_template=CHAT, image_seq_length=TOKENS)


def text_config(tokenizer: GemmaTokenizer) -> dict[str, object]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "sliding_window": 512,
        "layer_types": ["sliding_attention", "full_attention"],
        "query_pre_attn_scalar": 8,
    }
