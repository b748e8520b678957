"""Gemma 4: patches pooled by nines, as many as fit; an image's tokens see each other, both ways.

Its `mm_token_type_ids` mark images with 1. Of the larger models: the small ones are causal alone.
"""

from transformers import (
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4Processor,
    GemmaTokenizer,
)
from transformers.models.gemma4.feature_extraction_gemma4 import Gemma4AudioFeatureExtractor
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil

from locvlm.compat.image_processors import VideoSettings, stills_only
from tests.families.spread import spread
from tests.families.tokens import sentencepiece

PATCH, TOKENS = 4, 70  # pixels; at most, of an image: the fewest that its processor takes
CHAT = (
    "{{ bos_token }}{% for message in messages %}<|turn>"
    "{{ 'model' if message['role'] == 'assistant' else message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|image|>{% else %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}<turn|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|turn>model\n{% endif %}"
)
MARKS = {
    "boi_token": "<|image>",
    "eoi_token": "<image|>",
    "image_token": "<|image|>",
    "boa_token": "<|audio>",
    "eoa_token": "<audio|>",
    "audio_token": "<|audio|>",
}


def build() -> tuple[Gemma4ForConditionalGeneration, Gemma4Processor]:
    tokenizer = GemmaTokenizer(
        **sentencepiece(["<pad>", "<eos>", "<bos>", "<unk>"]), extra_special_tokens=MARKS
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn>", "<turn|>"]})
    processor = stills_only(Gemma4Processor)(
        Gemma4AudioFeatureExtractor(),
        Gemma4ImageProcessorPil(patch_size=PATCH, max_soft_tokens=TOKENS),
        tokenizer,
        VideoSettings({}),
        chat_template=CHAT,
        image_seq_length=TOKENS,
    )
    config = Gemma4Config(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": PATCH,
            "position_embedding_size": 256,
        },
        text_config={
            "vocab_size": len(tokenizer),
            "vocab_size_per_layer_input": len(tokenizer),
            "hidden_size_per_layer_input": 8,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "global_head_dim": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            "use_bidirectional_attention": "vision",
        },
        **{f"{name}_id": tokenizer.convert_tokens_to_ids(mark) for name, mark in MARKS.items()},
        video_token_id=processor.video_token_id,
        tie_word_embeddings=False,  # with random ones, it would say one word for ever
    )
    return spread(Gemma4ForConditionalGeneration(config), tokenizer), processor
