"""A tiny random model of a type, and its processor."""

from __future__ import annotations

import contextlib
import inspect
import re
from pathlib import Path
from typing import Any

from benchmarks.model_types.aria_to_glm import ARIA_TO_GLM
from benchmarks.model_types.glmga_to_minicpm import GLMGA_TO_MINICPM
from benchmarks.model_types.minimax_to_vision import MINIMAX_TO_VISION
from benchmarks.model_types.settings import Id, Tiny

SMALL = {  # by the end of a setting's name
    "hidden_size": 64, "hidden_dim": 64, "d_model": 64, "embed_dim": 64, "n_embd": 64, "dim": 64,
    "projection_dim": 64, "out_hidden_size": 64, "output_dim": 64, "cross_hidden_size": 64,
    "intermediate_size": 64, "ffn_dim": 64, "mlp_dim": 64, "intermediate_size_mlp": 64,
    "num_hidden_layers": 2, "num_layers": 2, "depth": 2, "encoder_layers": 2, "decoder_layers": 2,
    "n_layer": 2, "num_global_layers": 2, "num_attention_heads": 4, "num_heads": 4, "n_head": 4,
    "attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_experts": 4,
    "n_routed_experts": 4, "num_local_experts": 4, "moe_num_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "moe_topk": 2, "top_k": 2,
    "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 0, "n_group": 1, "topk_group": 1,
}  # fmt: skip
LISTS: dict[str, list[Any]] = {
    "mrope_section": [4, 2, 2],
    "deepstack_visual_indexes": [0],
    "fullatt_block_indexes": [1],
    "cross_attention_layers": [1],
    "no_rope_layers": [1, 1],
    "mlp_layer_types": ["dense", "dense"],
}
TOKENS = (
    "<|im_start|> <|im_end|> <image> <video> <audio> <|image_pad|> <|video_pad|> <|vision_start|> "
    "<|vision_end|> <|image|> <|image_start|> <|image_end|> <|patch|> <IMG_CONTEXT> <img> </img> "
    "<|IMG_PATCH|> <|START_OF_IMG|> <|END_OF_IMG|> <|IMG_LINE_BREAK|> TILE_GLOBAL TILE_1 TILE_2 "
    "TILE_3 TILE_4 TILE_5 TILE_6 TILE_7 TILE_8 TILE_9 TILE_10 TILE_11 TILE_12 [IMG] [IMG_BREAK] "
    "[IMG_END] <fake_token_around_image> <global-img> <end_of_utterance> <start_of_image> "
    "<end_of_image> <image_soft_token> <|begin_of_image|> <|end_of_image|> <im_patch> "
    "<|tile_x_separator|> <|tile_y_separator|> <|img|> <|endofimg|> <|imgpad|> <pad> <boi> <eoi>"
)
ROWS = [f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)]
MARKS = {"image_token": "<image>", "video_token": "<video>", "audio_token": "<audio>",
         "boi_token": "<boi>", "eoi_token": "<eoi>", "boa_token": "<boi>", "eoa_token": "<eoi>",
         "start_image_token": "<img>", "end_image_token": "</img>",
         "context_image_token": "<IMG_CONTEXT>", "image_start_token": "<|image_start|>",
         "image_end_token": "<|image_end|>", "image_break_token": "[IMG_BREAK]",
         "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>",
         "vision_start_token": "<|vision_start|>",
         "vision_end_token": "<|vision_end|>"}  # fmt: skip
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}"
    "{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(name: str, folder: Path) -> str:
    """Write a tiny random model of a type, and its processor; say what is built."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    own = (ARIA_TO_GLM | GLMGA_TO_MINICPM | MINIMAX_TO_VISION).get(name, Tiny())
    if own.unbuilt:
        raise ValueError(own.unbuilt)
    if own.config_alone:
        AutoConfig.for_model(name).save_pretrained(folder)
        return "config.json"
    kind = processor_class(name, own)
    tokenizer = make_tokenizer(kind, own)
    processor = make_processor(name, own, kind, tokenizer)
    config = small_config(name, own, tokenizer, processor)
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    if sum(p.numel() for p in model.parameters()) > 300e6:
        raise ValueError("too large with small numbers")
    for part in model.parameters():  # gates that are shut would hide the image
        if not part.any():
            torch.nn.init.normal_(part, std=0.02)
    if getattr(model, "generation_config", None) is not None:
        model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return "yes"


def processor_class(name: str, own: Tiny) -> Any:
    """That transformers maps to the type, or that its checkpoints name."""
    from transformers.models.auto import processing_auto

    known = own.processor_class or processing_auto.PROCESSOR_MAPPING_NAMES.get(own.like or name)
    if known is None:
        raise ValueError("transformers maps no processor to this type")
    return processing_auto.processor_class_from_name(known)


def make_tokenizer(kind: Any, own: Tiny) -> Any:
    """Of some hundred tokens, those of all families among them."""
    from transformers import Qwen2Tokenizer

    from tests.families.tokens import byte_level

    named = re.findall(r"tokenizer\.(\w+_token)\b", inspect.getsource(kind))
    known = {"bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token"}
    known |= {"add_bos_token", "add_eos_token"}
    marks = {mark: f"<{mark.removesuffix('_token')}>" for mark in {*named} - known}
    tokenizer = Qwen2Tokenizer(
        **byte_level(),
        add_prefix_space=False,  # which the class of some types asks for
        extra_special_tokens={**marks, **MARKS, **own.tokens},
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [*TOKENS.split(), *ROWS, *own.words]}
    )
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<pad>"
    tokenizer.bos_token = "<|im_start|>"
    return tokenizer


def make_processor(name: str, own: Tiny, kind: Any, tokenizer: Any) -> Any:
    """The type's own, with its image processor; what hears or sees clips by its defaults."""
    from transformers import AutoConfig

    from locvlm.compat.image_processors import VIDEOS, VideoSettings, stills_only

    images = image_processor_class(own.like or name)(**own.images)
    vision = getattr(AutoConfig.for_model(name), "vision_config", None)
    tokens = tokens_of(images, getattr(vision, "patch_size", None))
    given = {"image_processor": images, "tokenizer": tokenizer, "qformer_tokenizer": tokenizer,
             "patch_size": getattr(vision, "patch_size", None), "chat_template": CHAT,
             "vision_feature_select_strategy": "default", "num_image_tokens": tokens,
             "image_seq_len": tokens, "image_seq_length": tokens}  # fmt: skip
    if VIDEOS in kind.get_attributes():
        given[VIDEOS] = VideoSettings({})
    if "feature_extractor" in kind.get_attributes():
        given["feature_extractor"] = feature_extractor(own.hears or own.like or name)
    wanted = inspect.signature(kind.__init__).parameters
    made = stills_only(kind) if VIDEOS in kind.get_attributes() else kind
    told = {key: value for key, value in given.items() if key in wanted and value is not None}
    options = told | own.processor
    processor = made(**options)
    token = own.image or getattr(processor, "image_token", "<image>")
    processor.chat_template = (own.chat or CHAT).replace("IMAGE", str(token))
    return processor


def image_processor_class(name: str) -> Any:
    """Pillow's, as LocVLM loads it; torchvision's where there is no other."""
    from transformers.models.auto import image_processing_auto as known

    backends = known.IMAGE_PROCESSOR_MAPPING_NAMES.get(name) or {}
    for backend in ("pil", "torchvision"):
        with contextlib.suppress(ImportError):
            found = known._load_class_with_fallback(backends, backend)
            if found is not None:
                return found
    raise ValueError("its images need torchvision")


def feature_extractor(name: str) -> Any:
    """What hears, of the type."""
    from transformers.models.auto import feature_extraction_auto as known

    kind = known.FEATURE_EXTRACTOR_MAPPING_NAMES.get(name)
    if kind is None:
        raise ValueError("transformers maps no feature extractor to this type")
    return known.feature_extractor_class_from_name(kind)()


def tokens_of(images: Any, patch: Any) -> int:
    """Of a picture whose every patch is a token."""
    from locvlm.processors import frame_of

    try:
        return (max(frame_of(images, (640, 480)).model) // int(patch)) ** 2
    except Exception:
        return 16


def small_config(name: str, own: Tiny, tokenizer: Any, processor: Any) -> Any:
    """The default configuration with small numbers and the type's own."""
    from transformers import AutoConfig

    config = AutoConfig.for_model(name)
    image = getattr(processor, "image_token_id", None)
    if not isinstance(image, int):
        token = getattr(processor, "image_token", "<image>")
        image = tokenizer.convert_tokens_to_ids(str(token))
    small = shrink(config.to_dict(), tokenizer, image)
    if "vocabulary_map" in small:  # of codes that stand for an image
        small["vocabulary_map"] = tokenizer.get_vocab()
    vision = small.get("vision_config")
    if isinstance(vision, dict) and isinstance(vision.get("image_size"), int):
        with contextlib.suppress(Exception):  # those of any size have none
            from locvlm.processors import frame_of

            vision["image_size"] = max(frame_of(processor, (640, 480)).model)
    language = small.get("text_config") or small
    if re.match("qwen|glm|cosmos|ernie|exaone|paddle|hunyuan", name):
        turning = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]}
        language["rope_parameters"] = language["rope_scaling"] = turning
    for path, value in own.config.items():
        put(small, path, ids_of(value, tokenizer))
    return type(config).from_dict(small)


def ids_of(value: Any, tokenizer: Any) -> Any:
    """The same with the ids of tokens in their places."""
    if isinstance(value, list):
        return [ids_of(each, tokenizer) for each in value]
    return tokenizer.convert_tokens_to_ids(str(value)) if isinstance(value, Id) else value


def put(settings: dict[str, Any], path: str, value: Any) -> None:
    """Set what lies at a path of names with dots between them."""
    *parts, last = path.split(".")
    for part in parts:
        settings = settings.setdefault(part, {})
    settings[last] = value


def shrink(settings: dict[str, Any], tokenizer: Any, image: int) -> dict[str, Any]:
    """The same settings with small numbers, and token ids that the tokenizer has."""
    size = len(tokenizer)
    named = {
        key: value
        for key, value in settings.items()
        if isinstance(key, str) and key != "per_layer_config"  # of layers that it has no longer
    }
    return {key: small_value(key, value, tokenizer, image, size) for key, value in named.items()}


def small_value(key: str, value: Any, tokenizer: Any, image: int, size: int) -> Any:
    """Of one setting, or of a part."""
    if isinstance(value, dict):
        return shrink(value, tokenizer, image)
    if isinstance(value, list):
        return LISTS.get(key, value[:2] if key == "layer_types" else value)
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if key == "vocab_size":
        return size
    if re.fullmatch(r"(image|media|im)_?(patch_)?(token_(id|index)|placeholder_token_id)", key):
        return image
    if key.endswith(("token_id", "token_index")):
        return tokenizer.eos_token_id if "eos" in key else value if value < size else 1
    ends = [end for end in SMALL if f"_{key}".endswith(f"_{end}")]
    return min(value, SMALL[max(ends, key=len)]) if ends else value
