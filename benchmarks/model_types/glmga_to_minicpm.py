"""What the types from GLM-GA to MiniCPM need to be built tiny."""

from __future__ import annotations

from benchmarks.model_types.settings import Id, Tiny

CLIP_56 = {"vision_config.image_size": 56, "vision_config.patch_size": 14}
CROPPED_56 = {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}}
GRID_56 = {"image_grid_pinpoints": [[56, 112], [112, 56], [112, 112], [168, 56], [56, 168]]}
PINPOINTS_56 = {**CROPPED_56, **GRID_56}
CLS_14 = {"patch_size": 14, "num_additional_image_tokens": 1}

MINICPM = Tiny(
    config={
        "image_token_id": Id("<image>"),
        "insert_layer_id": 0,
        "vision_config.patch_size": 14,
        "text_config.layer_types": ["linear_attention", "full_attention"],
    },
)

GLMGA_TO_MINICPM: dict[str, Tiny] = {
    "glmga": Tiny(
        processor_class="Glm46VProcessor",
        images={"size": {"shortest_edge": 784, "longest_edge": 28224}},
    ),
    "got_ocr2": Tiny(
        config={
            "vision_config.image_size": 256,
            "vision_config.patch_size": 4,  # 256 tokens, which its processor knows alone
            "vision_config.global_attn_indexes": [1],
            "vision_config.window_size": 4,
            "vision_config.output_channels": 32,
            "vision_config.initializer_range": 0.02,  # else nothing is seen before it is trained
        },
        images={"size": {"height": 256, "width": 256}},
        tokens={"image_token": "<imgpad>"},
    ),
    "granite4_vision": Tiny(
        config={
            **CLIP_56,
            "downsample_rate": "1/2",
            "deepstack_layer_map": [[-2, 0]],
            "spatial_target_layers": [0, 1],
            "image_grid_pinpoints": [[56, 112], [112, 56], [112, 112]],
            "qformer_config.num_attention_heads": 4,
        },
        images=PINPOINTS_56,
        processor={"patch_size": 14, "downsample_rate": "1/2", "num_additional_image_tokens": 1},
    ),
    "granite_docling": Tiny(
        config={
            "vision_config.image_size": 64,
            "vision_config.scale_factor": 2,
            "vision_config.deepstack_visual_indexes": [0],
            "vision_config.patch_size": 16,
        },
        images={"size": {"height": 64, "width": 64}, "max_patches": 4},
        processor={"image_seq_len": 4},
    ),
    "hunyuan_vl": Tiny(
        config={
            "text_config.head_dim": 16,
            "vision_config.out_hidden_size": 64,
            "vision_config.text_hidden_size": 64,
        },
        images={"size": {"shortest_edge": 1024, "longest_edge": 36864}},
        image="<|image_start|><image><|image_end|>",
    ),
    "hyperclovax_vision_v2": Tiny(
        images={"size": {"shortest_edge": 784, "longest_edge": 28224}},
    ),
    "idefics": Tiny(
        config={"vision_config.image_size": 56, "alpha_initializer": "ones"},
        images={"image_size": 56},
        image="<image>",
    ),
    "idefics2": Tiny(
        config={
            "vision_config.image_size": 56,
            "vision_config.patch_size": 14,
            "perceiver_config.resampler_n_latents": 8,
        },
        images={"size": {"shortest_edge": 42, "longest_edge": 56}},
        processor={"image_seq_len": 8},
    ),
    "idefics3": Tiny(
        config={"vision_config.image_size": 56, "vision_config.patch_size": 14},
        images={"size": {"longest_edge": 112}, "max_image_size": {"longest_edge": 56}},
        processor={"image_seq_len": 4},
    ),
    "instructblip": Tiny(),
    "internvl": Tiny(
        config={"vision_config.image_size": [56, 56], "vision_config.patch_size": [14, 14]},
        images={"size": {"height": 56, "width": 56}, "crop_to_patches": True},
        processor={"image_seq_length": 4},
    ),
    "janus": Tiny(
        config={"vision_config.image_size": 64, "vision_config.num_image_tokens": 16},
        images={"size": {"height": 64, "width": 64}},
    ),
    "inkling_mm_model": Tiny(
        config={
            "text_config.d_rel": 16,
            "text_config.layer_types": ["hybrid_sliding", "hybrid"],
            "text_config.local_layer_ids": [0],
            "vision_config.num_hidden_layers": 4,
        },
    ),
    "kimi_k25": Tiny(
        config={
            "text_config.num_key_value_heads": 4,
            "text_config.q_lora_rank": 16,
            "text_config.kv_lora_rank": 16,
            "text_config.qk_nope_head_dim": 16,
            "text_config.qk_rope_head_dim": 8,
            "text_config.head_dim": 8,
            "text_config.v_head_dim": 16,
        },
        images={"max_patches": 64},
    ),
    "kosmos-2": Tiny(
        config={
            "vision_config.image_size": 56,
            "text_config.layers": 2,
            "latent_query_num": 64,
        },
        images={"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}},
        processor={"num_patch_index_tokens": 1024},
        processor_class="Kosmos2Processor",
    ),
    "kosmos-2.5": Tiny(
        config={
            "text_config.layers": 2,
            "latent_query_num": 8,
            "vision_config.patch_embed_hidden_size": 768,
        },
        processor={"num_image_tokens": 8},
        processor_class="Kosmos2_5Processor",
    ),
    "lfm3_vl": Tiny(
        config={"text_config.layer_types": ["conv", "full_attention"]},
        images={"size": {"shortest_edge": 1024, "longest_edge": 36864}, "patch_size": 16},
    ),
    "lighton_ocr": Tiny(
        images={"size": {"longest_edge": 112}, "patch_size": {"height": 14, "width": 14}},
        processor={"patch_size": 14, "spatial_merge_size": 2},
    ),
    "llama4": Tiny(
        config={
            "image_token_index": Id("<|patch|>"),
            "vision_config.image_size": 56,
            "vision_config.intermediate_size": 256,  # of 2 x 2 patches
            "vision_config.vision_output_dim": 64,
            "vision_config.projector_input_dim": 64,
            "vision_config.projector_output_dim": 64,
        },
        images={"size": {"height": 56, "width": 56}, "max_patches": 4},
    ),
    "llava": Tiny(config=CLIP_56, images=CROPPED_56, processor=CLS_14),
    "llava_next": Tiny(config={**CLIP_56, **GRID_56}, images=PINPOINTS_56, processor=CLS_14),
    "llava_next_video": Tiny(config={**CLIP_56, **GRID_56}, images=PINPOINTS_56, processor=CLS_14),
    "llava_onevision": Tiny(
        config={"vision_config.image_size": 56, "vision_config.patch_size": 14, **GRID_56},
        images={"size": {"height": 56, "width": 56}, **GRID_56},
        processor={"num_image_tokens": 16, "vision_feature_select_strategy": "full"},
    ),
    "minicpm_ocr": MINICPM,
    "minicpmv4_6": MINICPM,
    "minicpmv4_7": MINICPM,
}
