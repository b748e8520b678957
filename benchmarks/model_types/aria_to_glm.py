"""What the types from Aria to GLM-OCR need to be built tiny."""

from __future__ import annotations

from benchmarks.model_types.settings import Id, Tiny

# Of those that take a number of pixels
SMALL_PIXELS = {"size": {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}}

ARIA_TO_GLM: dict[str, Tiny] = {
    "aria": Tiny(  # its processor knows two sizes of images alone, the smaller one by name
        config={
            "projector_patch_to_query_dict": {196: 16},
            "vision_config.image_size": 980,
            "vision_config.patch_size": 70,
        },
        processor={"size_conversion": {980: 16}},
    ),
    "aya_vision": Tiny(
        config={"text_config.layer_types": ["full_attention"] * 2},
        images={"size": {"height": 56, "width": 56}},
        processor={"img_size": 56, "patch_size": 14, "downsample_factor": 2},
    ),
    "blip": Tiny(config_alone=True),
    "chameleon": Tiny(config_alone=True),
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
        images=SMALL_PIXELS | {"patch_size": 16},
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
            "text_config.num_experts_per_tok": 2,
            "vision_config.sam_config.downsample_channels": [32, 64],
            "vision_config.sam_config.global_attn_indexes": [1],
            "vision_config.sam_config.initializer_range": 0.02,  # its default is 1e-10
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
    "diffusion_gemma": Tiny(config_alone=True),
    "dots3_note": Tiny(
        config={
            "audio_config.adapter_input_size": 64,
            "text_config.num_key_value_heads": 4,
            "text_config.layer_types": ["indexed_attention"] * 2,
            "vision_config.adapter_in_dim": 64,
            "vision_config.adapter_out_dim": 64,
            "audio_config.adapter_out_dim": 64,
        },
        images=SMALL_PIXELS | {"temporal_patch_size": 1},
    ),
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
    "ernie4_5_vl_moe": Tiny(
        config={
            "text_config.rope_parameters.mrope_section": [3, 3, 2],
            "text_config.mlp_layer_types": ["dense", "sparse"],
            "text_config.moe_intermediate_size": [32, 32],
            "text_config.moe_k": 2,
        },
        images=SMALL_PIXELS,
    ),
    "evolla": Tiny(config_alone=True),
    "exaone4_5": Tiny(images=SMALL_PIXELS),
    "fast_vlm": Tiny(processor_class="LlavaProcessor", like="llava"),
    "florence2": Tiny(
        images={
            "size": {"height": 64, "width": 64},
            "do_center_crop": False,
            "image_seq_length": 5,
        },
    ),
    "fuyu": Tiny(config_alone=True),
    "gemma3": Tiny(
        config={
            "image_token_index": Id("<image_soft_token>"),
            "mm_tokens_per_image": 4,
            "vision_config.patch_size": 14,
        },
        images={"size": {"height": 56, "width": 56}},
        processor={"image_seq_length": 4},
        tokens={"image_token": "<image_soft_token>"},
        image="<boi>",
    ),
    "gemma3n": Tiny(
        config={
            "text_config.activation_sparsity_pattern": [0.0, 0.0],
            "text_config.intermediate_size": [64, 64],
        },
    ),
    "gemma4": Tiny(
        config={
            "text_config.global_head_dim": 16,
            "vision_config": {
                "model_type": "gemma4_vision",
                "hidden_size": 64,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 4,
                "head_dim": 16,
                "position_embedding_size": 1024,
            },
        },
        images={"max_soft_tokens": 70},
        processor={"image_seq_length": 70},
    ),
    "gemma4_unified": Tiny(
        config={
            "text_config.global_head_dim": 16,
            "vision_config": {
                "model_type": "gemma4_unified_vision",
                "mm_embed_dim": 64,
                "output_proj_dims": 64,
            },
        },
        images={"max_soft_tokens": 70},
        processor={"image_seq_length": 70},
    ),
    "git": Tiny(config_alone=True),
    "glm46v": Tiny(images=SMALL_PIXELS),
    "glm4v": Tiny(images=SMALL_PIXELS),
    "glm4v_moe": Tiny(
        config={"text_config.rope_parameters.mrope_section": [2, 1, 1]},
        like="glm4v",
        images=SMALL_PIXELS,
    ),
    "glm5_next": Tiny(
        config={
            "text_config.num_key_value_heads": 4,
            "text_config.layer_types": ["linear_attention", "indexed_attention"],
            "text_config.indexer_types": ["full", "full"],
        },
        images={"min_image_tokens": 4, "max_image_tokens": 16},
    ),
    "glm_ocr": Tiny(processor_class="Glm46VProcessor", like="glm46v", images=SMALL_PIXELS),
}
