"""What the types from MiniMax M3 to VisionEncoderDecoder need to be built tiny."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.model_types.settings import Id, Tiny

PIXTRAL = Tiny(
    images={"size": {"longest_edge": 112}, "patch_size": {"height": 14, "width": 14}},
    processor={"patch_size": 14, "spatial_merge_size": 2},
)
QWEN2 = Tiny(images={"size": {"shortest_edge": 784, "longest_edge": 28224}})
QWEN3 = Tiny(images={"size": {"shortest_edge": 1024, "longest_edge": 36864}, "patch_size": 16})
OMNI = {
    "vision_start_token_id": Id("<|vision_start|>"),
    "vision_end_token_id": Id("<|vision_end|>"),
    "audio_start_token_id": Id("<boi>"),
    "audio_end_token_id": Id("<eoi>"),
}
SQUARE = {"size": {"height": 56, "width": 56}}

MINIMAX_TO_VISION: dict[str, Tiny] = {
    "minimax_m3_vl": Tiny(
        tokens={
            "image_token": "]<]image[>[",
            "video_token": "]<]video[>[",
            "vision_start_token": "]<]start of image[>[",
            "vision_end_token": "]<]end of image[>[",
        },
    ),
    "mistral3": PIXTRAL,
    "mistral_large4": replace(
        PIXTRAL,
        config={
            "text_config.kv_source_layers": [0, 1],
            "text_config.no_rope_layers": [1, 0],
            "text_config.indexer_types": ["full", "full"],
            "text_config.num_key_value_heads": 4,
        },
    ),
    "mllama": Tiny(
        config={
            "vision_config.image_size": 56,
            "vision_config.intermediate_layers_indices": [0],
            "vision_config.vision_output_dim": 128,
        },
        images={**SQUARE, "max_image_tiles": 4},
    ),
    "molmo2": Tiny(
        config={
            "vision_config.image_size": [112, 112],
            "vision_config.num_position_embeddings": 64,
            "adapter_config.vision_feature_layer": [1, 0],
            "image_patch_id": Id("<im_patch>"),
            "image_start_token_id": Id("<im_start>"),
            "image_end_token_id": Id("<im_end>"),
            "low_res_image_start_token_id": Id("<low_res_im_start>"),
        },
        images={"size": {"height": 112, "width": 112}, "overlap_margins": [1, 1]},
        tokens={"image_token": "<|image|>"},
        words=(
            *("<im_patch>", "<im_col>", "<im_start>", "<low_res_im_start>", "<im_end>"),
            *("<im_low>", "<frame_start>", "<frame_end>"),
        ),
    ),
    "muse_glimmer": Tiny(config={"out_hidden_size": 256}),
    "muse_spark": Tiny(config={"out_hidden_size": 256, "audio_config.num_hidden_layers": 4}),
    "nemotron_h_omni": Tiny(
        config={
            "image_token_id": Id("<image>"),
            "video_token_id": Id("<video>"),
            "text_config.n_groups": 1,
            "text_config.mamba_num_heads": 4,
            "text_config.mamba_head_dim": 32,
        },
        hears="parakeet_ctc",
    ),
    "ovis2": Tiny(
        config={
            "image_token_id": Id("<IMG_ATOM>"),
            "visual_indicator_token_ids": [
                Id(f"<IMG_{end}>") for end in ("START", "GRID", "COL", "ROW", "END")
            ],
            "vision_config.image_size": 56,
        },
        images=SQUARE,
        processor={"image_seq_length": 16},
        words=tuple(f"<IMG_{end}>" for end in ("ATOM", "START", "GRID", "COL", "ROW", "END")),
    ),
    "paddleocr_vl": QWEN2,
    "paligemma": Tiny(images={**SQUARE, "image_seq_length": 16}),
    "perception_lm": Tiny(
        config={
            "vision_config.architecture": "vit_pe_core_large_patch14_336",
            "vision_config.model_args": {
                "embed_dim": 64,
                "depth": 2,
                "num_heads": 4,
                "img_size": [56, 56],
                "ref_feat_shape": [4, 4],
                "global_pool": "",
            },
            "projector_pooling_ratio": 2,
        },
        images={"tile_size": 56},
        processor={"patch_size": 14},
    ),
    "pp_chart2table": Tiny(
        config={
            "image_token_index": Id("<imgpad>"),
            "vision_config.image_size": 128,
            "vision_config.global_attn_indexes": [1],
            "vision_config.output_channels": 32,
            "vision_config.initializer_range": 0.02,
        },
        images={"size": {"height": 128, "width": 128}},
        words=("<imgpad>",),
        image="<img>" + "<imgpad>" * 4 + "</img>",
    ),
    "qianfan_ocr": Tiny(
        config={"vision_config.image_size": [56, 56]},
        images=SQUARE,
        processor={"image_seq_length": 4},
        image="<image>",
    ),
    "qwen2_5_omni_thinker": replace(QWEN2, like="qwen2_5_omni", config=OMNI),
    "qwen2_5_vl": QWEN2,
    "qwen2_vl": QWEN2,
    "qwen3_5": QWEN3,
    "qwen3_5_moe": QWEN3,
    "qwen3_omni_moe_thinker": replace(QWEN3, like="qwen3_omni_moe", config=OMNI),
    "qwen3_vl": QWEN3,
    "qwen3_vl_moe": replace(QWEN3, like="qwen3_vl"),
    "qwen4_exp": QWEN3,
    "shieldgemma2": Tiny(
        config={
            "image_token_index": Id("<image>"),
            "mm_tokens_per_image": 4,
            "vision_config.image_size": 56,
            "vision_config.patch_size": 14,
        },
        images=SQUARE,
        processor={"image_seq_length": 4},
        image="<boi>",
    ),
    "smolvlm": Tiny(
        config={"scale_factor": 2, "vision_config.image_size": 56, "vision_config.patch_size": 14},
        images={"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}},
        processor={"image_seq_len": 4},
    ),
    "step3p7": Tiny(config={"text_config.sliding_window": 64}),
    "t5gemma2": Tiny(
        config={
            "encoder.vision_config.image_size": 56,
            "encoder.vision_config.patch_size": 14,
            "encoder.mm_tokens_per_image": 4,
            "image_token_index": Id("<image>"),
        },
        images=SQUARE,
        processor={"image_seq_length": 4},
        image="<boi>",
    ),
    "unlimited_ocr": Tiny(
        config={
            "vision_config.sam_config.image_size": 128,
            "vision_config.sam_config.global_attn_indexes": [1],
            "vision_config.sam_config.output_channels": 32,
            "vision_config.sam_config.downsample_channels": [32, 64],
            "vision_config.sam_config.initializer_range": 0.02,
            "vision_config.encoder_config.image_size": 32,
            "vision_config.encoder_config.patch_size": 16,
            "text_config.num_key_value_heads": 4,
            "text_config.mlp_layer_types": ["dense", "sparse"],
        },
        images={"size": {"height": 128, "width": 128}, "tile_size": 64},
    ),
    "video_llama_3": Tiny(config={"vision_config.patch_size": 14}, images={"max_tokens": 64}),
    "vipllava": Tiny(
        config={"vision_feature_layer": [-1, -2]},
        processor={"num_additional_image_tokens": 1},
    ),
}
