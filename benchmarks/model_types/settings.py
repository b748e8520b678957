"""What a model type needs beside small numbers to be built tiny, read in its configuration.

A type without an entry needs nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Tiny:
    """Of one type.

    Args:
        config: settings of the configuration, by their path in it ("text_config.head_dim").
        images: options of the image processor ({"size": {"height": 56, "width": 56}}).
        processor: options of the processor.
        processor_class: where transformers maps none to the type: the one its checkpoints name.
        like: the type whose processors it has, where transformers maps none to it.
        hears: the type whose feature extractor it has, where it is another.
        tokens: named tokens of the tokenizer, beside those that the processor's source names.
        words: further tokens of the tokenizer.
        image: what its chat template writes for an image, where that isn't the `image_token`.
        chat: its chat template, with IMAGE where the image stands; None: the one of `tiny.py`.
        unbuilt: why it isn't built at all.
        config_alone: LocVLM refuses it by its name: there is no need to build it.
    """

    config: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    processor: dict[str, Any] = field(default_factory=dict)
    processor_class: str | None = None
    like: str | None = None
    hears: str | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    image: str | None = None
    chat: str | None = None
    unbuilt: str | None = None
    config_alone: bool = False


QWEN3 = Tiny(
    images={"size": {"shortest_edge": 1024, "longest_edge": 36864}, "patch_size": 16},
)

SETTINGS: dict[str, Tiny] = {
    "minimax_m3_vl": Tiny(
        tokens={
            "image_token": "]<]image[>[",
            "video_token": "]<]video[>[",
            "vision_start_token": "]<]start of image[>[",
            "vision_end_token": "]<]end of image[>[",
        },
    ),
    "mistral3": Tiny(
        images={"size": {"longest_edge": 112}, "patch_size": {"height": 14, "width": 14}},
        processor={"patch_size": 14, "spatial_merge_size": 2},
    ),
    "mistral_large4": Tiny(
        config={
            "vision_config.num_attention_heads": 4,
            "text_config.kv_source_layers": [0, 1],
            "text_config.no_rope_layers": [1, 0],
            "text_config.indexer_types": ["full", "full"],
        },
        images={"size": {"longest_edge": 112}, "patch_size": {"height": 14, "width": 14}},
        processor={"patch_size": 14, "spatial_merge_size": 2},
    ),
    "mllama": Tiny(
        config={
            "vision_config.image_size": 56,
            "vision_config.intermediate_layers_indices": [0],
            "vision_config.vision_output_dim": 128,
        },
        images={"size": {"height": 56, "width": 56}, "max_image_tiles": 4},
    ),
    "molmo2": Tiny(
        config={
            "vision_config.image_size": [112, 112],
            "vision_config.num_position_embeddings": 64,
            "adapter_config.vision_feature_layer": [1, 0],
        },
        images={"size": {"height": 112, "width": 112}, "overlap_margins": [1, 1]},
        tokens={
            "image_token": "<|image|>",
            "col": "<im_col>",
            "start": "<im_start>",
            "low_start": "<low_res_im_start>",
            "end": "<im_end>",
            "low": "<im_low>",
            "frame_start": "<frame_start>",
            "frame_end": "<frame_end>",
        },
    ),
    "muse_glimmer": Tiny(config={"out_hidden_size": 256}),
    "muse_spark": Tiny(config={"out_hidden_size": 256}),
    "nemotron_h_omni": Tiny(hears="parakeet_ctc"),
    "ovis2": Tiny(
        images={"size": {"height": 56, "width": 56}},
        tokens={
            "img_start": "<IMG_START>",
            "img_atom": "<IMG_ATOM>",
            "img_grid": "<IMG_GRID>",
            "img_col": "<IMG_COL>",
            "img_row": "<IMG_ROW>",
            "img_end": "<IMG_END>",
        },
    ),
    "perception_lm": Tiny(),
    "qianfan_ocr": Tiny(image="<image>"),
    "qwen2_5_omni_thinker": Tiny(like="qwen2_5_omni"),
    "qwen2_5_vl": Tiny(images={"size": {"shortest_edge": 784, "longest_edge": 28224}}),
    "qwen2_vl": Tiny(images={"size": {"shortest_edge": 784, "longest_edge": 28224}}),
    "qwen3_5": QWEN3,
    "qwen3_5_moe": QWEN3,
    "qwen3_omni_moe_thinker": Tiny(like="qwen3_omni_moe"),
    "qwen3_vl": QWEN3,
    "qwen3_vl_moe": replace(QWEN3, like="qwen3_vl"),
    "qwen4_exp": QWEN3,
    "step3p7": Tiny(config={"text_config.sliding_window": 64}),
    "t5gemma2": Tiny(image="<boi>"),
    "vipllava": Tiny(config={"vision_feature_layer": [-1, -2]}),
}
