"""What a model type needs beside small numbers to be built tiny, read in its configuration.

A type without an entry needs nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tiny:
    """Of one type.

    Args:
        config: settings of the configuration, by their path in it ("text_config.head_dim").
        images: options of the image processor ({"size": {"height": 56, "width": 56}}).
        images_of: the type whose image processor it takes, where transformers maps none to it.
        processor: options of the processor.
        processor_class: where transformers maps none to the type: the one its checkpoints name.
        tokens: named tokens of the tokenizer, beside those that the processor's source names.
        words: further tokens of the tokenizer.
        image: what its chat template writes for an image, where that isn't the `image_token`.
        chat: its chat template, with IMAGE where the image stands; None: the one of `tiny.py`.
        unbuilt: why it isn't built at all.
    """

    config: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    images_of: str | None = None
    processor: dict[str, Any] = field(default_factory=dict)
    processor_class: str | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    image: str | None = None
    chat: str | None = None
    unbuilt: str | None = None


# Of those that take a number of pixels
SMALL_PIXELS = {"size": {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}}

SETTINGS: dict[str, Tiny] = {
    "aria": Tiny(
        config={
            "projector_patch_to_query_dict": {1225: 128},
            "vision_config.image_size": 490,
            "vision_config.patch_size": 14,
        },
        images={"max_image_size": 490},
    ),
    "aya_vision": Tiny(
        config={"text_config.layer_types": ["full_attention"] * 2},
        images={"size": {"height": 56, "width": 56}},
        processor={"img_size": 56, "patch_size": 14, "downsample_factor": 2},
    ),
    "chameleon": Tiny(
        config={
            "vq_config.base_channels": 32,
            "vq_config.channel_multiplier": [1, 1],
            "vq_config.embed_dim": 32,
            "vq_config.latent_channels": 32,
            "vq_config.num_embeddings": 8,
            "vq_config.num_res_blocks": 1,
            "vq_config.resolution": 32,
        },
        images={"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}},
        processor={"image_seq_length": 256},
        tokens={
            "boi_token": "<racm3:break>",
            "eoi_token": "<eoss>",
            "sep_token": "<reserved08706>",
        },
        words=tuple(f"IMGIMG{letter}Z" for letter in "ABCDEFGH"),
    ),
    "cohere_compass": Tiny(
        config={
            "text_config.rope_parameters": {
                "full_attention": {
                    "rope_type": "default",
                    "rope_theta": 1e4,
                    "mrope_section": [4, 2, 2],
                }
            }
        },
        images=SMALL_PIXELS,
        tokens={
            "image_token": "<|IMAGE_PAD|>",
            "vision_start_token": "<|VISION_START|>",
            "vision_end_token": "<|VISION_END|>",
        },
        words=("<|VIDEO_PAD|>",),
    ),
    "cosmos3_edge": Tiny(images={"size": {"shortest_edge": 64 * 64, "longest_edge": 128 * 128}}),
    "cosmos3_omni": Tiny(
        images=SMALL_PIXELS | {"patch_size": 16},
        processor_class="Qwen3VLProcessor",
    ),
    "deepseek_ocr2": Tiny(
        config={
            "text_config.mlp_layer_types": ["dense", "sparse"],
            "vision_config.sam_config.downsample_channels": [32, 64],
            "vision_config.sam_config.global_attn_indexes": [1],
            "vision_config.sam_config.output_channels": 32,
        },
        processor={"downsample_ratio": 4, "patch_size": 16},
    ),
    "deepseek_vl_hybrid": Tiny(
        config={
            "high_res_vision_config.global_attn_indexes": [1],
            "high_res_vision_config.image_size": 128,
            "vision_config.image_size": 64,
        },
        images={
            "size": {"height": 64, "width": 64},
            "high_res_size": {"height": 128, "width": 128},
        },
    ),
    "diffusion_gemma": Tiny(images_of="gemma4"),
    "dots3_note": Tiny(images=SMALL_PIXELS),
    "emu3": Tiny(
        config={
            "vq_config.base_channels": 32,
            "vq_config.codebook_size": 8,
            "vq_config.hidden_size": 128,
        },
        images={"min_pixels": 64 * 64, "max_pixels": 64 * 64},
        tokens={"eof_token": "<|extra_201|>"},
        words=("<|extra_200|>", *(f"<|visual token {code:06}|>" for code in range(8))),
    ),
    "ernie4_5_vl_moe": Tiny(images=SMALL_PIXELS),
    "exaone4_5": Tiny(images=SMALL_PIXELS),
    "fast_vlm": Tiny(processor_class="LlavaProcessor", images_of="llava"),
    "florence2": Tiny(
        images={"size": {"height": 64, "width": 64}},
        processor={"num_additional_image_tokens": 0, "image_seq_length": 4},
    ),
    "fuyu": Tiny(words=("|SPEAKER|", "|NEWLINE|")),
    "gemma3": Tiny(
        config={"mm_tokens_per_image": 4},
        images={"size": {"height": 56, "width": 56}},
        processor={"image_seq_length": 4},
        image="<boi>",
    ),
    "gemma3n": Tiny(
        config={
            "text_config.activation_sparsity_pattern": [0.0, 0.0],
            "text_config.intermediate_size": [64, 64],
        },
    ),
    "gemma4": Tiny(),
    "gemma4_unified": Tiny(),
    "git": Tiny(),
    "glm46v": Tiny(images=SMALL_PIXELS),
    "glm4v": Tiny(images=SMALL_PIXELS),
    "glm4v_moe": Tiny(
        config={"text_config.rope_parameters.mrope_section": [2, 1, 1]},
        images_of="glm4v",
        images=SMALL_PIXELS,
    ),
    "glm5_next": Tiny(),
    "glm_ocr": Tiny(processor_class="Glm46VProcessor", images_of="glm46v", images=SMALL_PIXELS),
    "kosmos-2": Tiny(processor_class="Kosmos2Processor"),
    "kosmos-2.5": Tiny(processor_class="Kosmos2_5Processor"),
}
