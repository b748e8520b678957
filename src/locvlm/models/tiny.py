"""LocVLM-Tiny: DINOv2-S, a two-layer adapter and SmolLM2-135M as one stock LLaVA.

The counterpart of LocVLM-B (arXiv 2404.07449, table of models) that fits on two CPU cores. The
untrained assembly is made once and cached as an ordinary `save_pretrained` folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from locvlm.models import dinov2
from locvlm.models.sources import DINOV2_S, SMOLLM2, cache_dir, fetch, in_cache

IMAGE_SIZE = 224  # pixels a side; 16 x 16 patches
# Encoder outputs that the adapter reads: the embeddings carry position (0.2 cells mean error by a
# linear read-out, 0.5 from layer 8), the later layers identity.
FEATURE_LAYERS = [0, 8, 11]
LANGUAGE_ON_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"  # of which the GGUF file is a copy
ASSEMBLY = "tiny-base-2"  # raise when anything below changes what is saved

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def base_folder() -> Path:
    """Folder of the assembled, untrained model and its processor; built on first use."""
    folder = cache_dir() / ASSEMBLY
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=in_cache(folder.parent)) as scratch:
            built = Path(scratch, ASSEMBLY)
            model, processor = assemble(fetch(DINOV2_S), fetch(SMOLLM2))
            model.save_pretrained(built)
            processor.save_pretrained(built)
            try:
                os.replace(built, folder)
            except OSError:
                if not folder.is_dir():  # else another process was first, with the same
                    raise
    return folder


def assemble(encoder: Path, language: Path) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """Join the parts; only the adapter (projector) starts from random numbers, seeded.

    Args:
        encoder: ONNX file of the DINOv2-S encoder.
        language: GGUF file of the SmolLM2 language model.
    """
    vision_tower = dinov2.load_onnx(encoder)
    llm = AutoModelForCausalLM.from_pretrained(
        language.parent, gguf_file=language.name, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(language.parent, gguf_file=language.name)
    processor = make_processor(tokenizer)
    llm.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    config = LlavaConfig(
        vision_config=vision_tower.config,
        text_config=llm.config,
        vision_feature_layer=FEATURE_LAYERS,
        vision_feature_select_strategy="default",
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(IMAGE_SIZE // 14) ** 2,
        tie_word_embeddings=True,
    )
    # A model that came out of a GGUF file says it is quantized; after loading it is not.
    for part in (config, config.text_config):
        part.__dict__.pop("quantization_config", None)
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(vision_tower.state_dict())
    model.model.language_model.load_state_dict(llm.model.state_dict())
    model.tie_weights()
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.generation_config.pad_token_id = model.generation_config.eos_token_id
    return model.to(torch.bfloat16).eval(), processor


def make_processor(tokenizer: AutoTokenizer) -> LlavaProcessor:
    """Squash-resize to 224 x 224 with ImageNet statistics: every pixel of the photo is seen."""
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    tokenizer.pad_token = "<|im_end|>"
    image_processor = ViTImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        resample=3,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the encoder's CLS token
        chat_template=CHAT_TEMPLATE,
    )
