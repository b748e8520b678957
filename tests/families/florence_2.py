"""Florence-2: DaViT and BART, an encoder and a decoder; locations are tokens; no chat."""

from transformers import (
    BartTokenizer,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.families.spread import spread
from tests.families.tokens import byte_level

SIDE = 64  # pixels; the picture is stretched
TOKENS = (SIDE // 32) ** 2 + 1  # every 32 px, and their mean


def build() -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    tokenizer = BartTokenizer(**byte_level(), extra_special_tokens={"image_token": "<image>"})
    places = [f"<loc_{number}>" for number in range(1000)]
    tokenizer.add_special_tokens({"additional_special_tokens": places})
    pictures = CLIPImageProcessorPil(size={"height": SIDE, "width": SIDE}, do_center_crop=False)
    pictures.image_seq_length = TOKENS
    processor = Florence2Processor(pictures, tokenizer)
    config = Florence2Config(
        vision_config={
            "depths": [1, 1, 1, 1],
            "embed_dim": [16, 16, 32, 32],
            "num_heads": [2, 2, 2, 2],
            "num_groups": [2, 2, 2, 2],
            "window_size": 4,
            "projection_dim": 32,
        },
        text_config={
            "model_type": "bart",
            "vocab_size": len(tokenizer),
            "d_model": 32,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "decoder_start_token_id": tokenizer.eos_token_id,
            "forced_eos_token_id": None,
        },
        image_token_id=processor.image_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,  # else it repeats itself, whatever it is asked
    )
    return spread(Florence2ForConditionalGeneration(config), tokenizer), processor
