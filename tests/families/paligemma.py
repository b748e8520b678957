"""PaliGemma: picture and question are read both ways; locations are tokens; no chat."""

from transformers import (
    GemmaTokenizer,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from tests.families.spread import spread
from tests.families.tokens import sentencepiece

SIDE, PATCH = 56, 14  # pixels


def build() -> tuple[PaliGemmaForConditionalGeneration, PaliGemmaProcessor]:
    tokenizer = GemmaTokenizer(**sentencepiece(["<pad>", "<eos>", "<bos>", "<unk>"]))
    pictures = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    pictures.image_seq_length = (SIDE // PATCH) ** 2
    processor = PaliGemmaProcessor(pictures, tokenizer)
    config = PaliGemmaConfig(
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": SIDE,
            "patch_size": PATCH,
            "vision_use_head": False,
        },
        text_config={
            "model_type": "gemma",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
            "head_dim": 8,
        },
        image_token_index=processor.image_token_id,
        vocab_size=len(tokenizer),
        projection_dim=32,
        hidden_size=32,
    )
    return spread(PaliGemmaForConditionalGeneration(config), tokenizer), processor
