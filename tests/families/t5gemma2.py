"""T5Gemma 2: an encoder reads images and text, every token every other; a decoder writes.

Its processor is Gemma 3's. The published models have no chat template; here is one of Gemma 3.
"""

from transformers import Gemma3Processor, T5Gemma2Config, T5Gemma2ForConditionalGeneration

from tests.families import gemma3
from tests.families.spread import spread


def build() -> tuple[T5Gemma2ForConditionalGeneration, Gemma3Processor]:
    processor = gemma3.make_processor()
    tokenizer = processor.tokenizer
    text = gemma3.text_config(tokenizer)
    config = T5Gemma2Config(
        encoder={
            "vision_config": gemma3.VISION,
            "text_config": text | {"model_type": "t5gemma2_text"},
            "mm_tokens_per_image": gemma3.TOKENS,
            "image_token_index": tokenizer.image_token_id,
            "boi_token_index": tokenizer.boi_token_id,
            "eoi_token_index": tokenizer.eoi_token_id,
        },
        decoder=text,
        image_token_index=tokenizer.image_token_id,
    )
    model = T5Gemma2ForConditionalGeneration(config)
    model.generation_config.decoder_start_token_id = tokenizer.bos_token_id
    return spread(model, tokenizer), processor
