"""A LLaVA of two pretrained models and a new adapter between them (arXiv 2404.07449, LocVLM-B).

It sees the whole image, stretched to the encoder's square as LocVLM-Tiny does; CLIP's own
processor would cut out the middle. Stretched and not padded: the paper divides coordinates by the
width and height of the whole image, so a share of it is a share of what the model sees, and no
patch is spent on a border.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoTokenizer,
    CLIPVisionModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from locvlm.errors import InputError
from locvlm.models.door import check_settings, refuse_unloadable
from locvlm.models.encoder_check import check_encoder, count_patches
from locvlm.models.single_linear import set_identity, settings_of
from locvlm.models.whole_images import show_whole

IMAGE_TOKEN = "<image>"
# A language model's template expects text: before it, a picture becomes its token and a line break
FLATTENED = (
    "{% set flat = namespace(messages=[]) %}{% for message in messages %}"
    "{% set said = namespace(text='') %}"
    "{% if message['content'] is string %}{% set said.text = message['content'] %}{% else %}"
    "{% for part in message['content'] %}"
    "{% set said.text = said.text + ('<image>\n' if part['type'] == 'image' else part['text']) %}"
    "{% endfor %}{% endif %}"
    "{% set flat.messages = flat.messages + [{'role': message['role'], 'content': said.text}] %}"
    "{% endfor %}{% set messages = flat.messages %}"
)
# For language models without a chat template of their own: LLaVA-1.5's words
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ ' ' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def assemble(
    encoder: str,
    language: str,
    *,
    adapter: Literal["linear", "mlp"] = "mlp",
    layers: int | tuple[int, ...] = -2,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """Join the parts; the adapter starts from random numbers.

    Args:
        encoder: hub id or folder of a CLIP model, or another ViT with a CLS token; pictures are
            stretched to its square.
        language: hub id or folder of a causal language model.
        adapter: `linear` is one linear layer, as `single_linear` has it; `mlp` LLaVA-1.5's two
            layers.
        layers: the encoder's outputs that the adapter reads.
        dtype: of the weights.

    Raises:
        InputError: a part cannot be loaded, is not of that kind, or leaves out parts of pictures.
    """
    tower = _load_part(_vision_class(encoder), encoder, dtype)
    if not hasattr(tower.config, "patch_size") or not hasattr(tower, "embeddings"):
        raise InputError(f"{encoder}: is no encoder of pictures alone, such as CLIP or DINOv2")
    images = _image_processor(encoder)
    check_encoder(tower, images, layers, encoder)
    llm = _load_part(AutoModelForCausalLM, language, dtype)
    processor = _processor(images, language, tower.config)
    llm.resize_token_embeddings(len(processor.tokenizer), mean_resizing=False)
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=llm.config,
        vision_feature_layer=layers if isinstance(layers, int) else list(layers),
        vision_feature_select_strategy="default",
        **settings_of(adapter),
        image_token_index=processor.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        image_seq_length=count_patches(tower.config, encoder),
        tie_word_embeddings=bool(llm.config.tie_word_embeddings),
    )
    model = AutoModelForImageTextToText.from_config(config, dtype=dtype)
    set_identity(model)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.language_model.load_state_dict(llm.base_model.state_dict())
    model.lm_head.load_state_dict(llm.get_output_embeddings().state_dict())
    model.tie_weights()
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    return model.eval(), processor


def _vision_class(encoder: str) -> Any:
    """CLIP's vision half alone; other encoders are what `AutoModel` makes of them."""
    config = _load_part(AutoConfig, encoder)
    return CLIPVisionModel if config.model_type.startswith("clip") else AutoModel


def _image_processor(encoder: str) -> Any:
    try:
        return show_whole(_load_part(AutoImageProcessor, encoder, backend="pil"))
    except InputError as error:
        raise InputError(f"{encoder}: {error}") from error


def _processor(images: Any, language: str, vision: Any) -> LlavaProcessor:
    tokenizer = _load_part(AutoTokenizer, language)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the encoder's CLS token
        chat_template=FLATTENED + (tokenizer.chat_template or CHAT_TEMPLATE),
    )


def _load_part(kind: Any, name: str, dtype: torch.dtype | None = None, **options: Any) -> Any:
    if dtype is not None:
        options["dtype"] = dtype
    check_settings(Path(name))
    with refuse_unloadable(name, "transformers cannot load it"):
        return kind.from_pretrained(name, trust_remote_code=False, **options)
