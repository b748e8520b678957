"""A LLaVA that reads clips as well as pictures (LocVLM-Vid of arXiv 2404.07449).

All weights are those of the LLaVA that it is made of. A clip is a picture with an axis of frames,
and takes F + T tokens (`pooling`) where a picture takes T:

    pixel_values (B, 3, H, W)       ─► encoder ───────────► adapter ─► T tokens
    pixel_values (B, F, 3, H, W)    ─► encoder ─► pooling ─► adapter ─► F + T tokens

Importing this module makes the classes known to transformers' Auto classes.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaModel,
)
from transformers.conversion_mapping import (
    get_checkpoint_conversion_mapping,
    register_checkpoint_conversion_mapping,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

from locvlm.models.patches import patch_features
from locvlm.models.video_llava.pooling import pool
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor


class PooledVideoLlavaConfig(LlavaConfig):
    """As a LLaVA's."""

    model_type = "pooled_video_llava"


class PooledVideoLlavaModel(LlavaModel):
    """As `LlavaModel`; `pixel_values` may be clips."""

    config_class = PooledVideoLlavaConfig

    def get_image_features(
        self, pixel_values: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Any, ...] | BaseModelOutputWithPooling:
        """The adapter's outputs; of clips (B, F, 3, H, W) in `pooler_output`, (F + T, D) each."""
        if pixel_values.ndim != 5:
            return super().get_image_features(pixel_values, *args, **kwargs)
        frames = patch_features(self, pixel_values.flatten(0, 1))
        pooled = pool(frames.unflatten(0, pixel_values.shape[:2]))
        tokens = list(self.multi_modal_projector(pooled))
        return BaseModelOutputWithPooling(last_hidden_state=pooled, pooler_output=tokens)


class PooledVideoLlavaForConditionalGeneration(LlavaForConditionalGeneration):
    """As `LlavaForConditionalGeneration`; `pixel_values` may be clips."""

    config_class = PooledVideoLlavaConfig

    def __init__(self, config: PooledVideoLlavaConfig):
        super().__init__(config)
        self.model = PooledVideoLlavaModel(config)
        self.post_init()


def video_config(config: LlavaConfig) -> PooledVideoLlavaConfig:
    """That of a LLaVA, for reading clips with its weights."""
    settings = config.to_dict()
    del settings["model_type"]
    return PooledVideoLlavaConfig.from_dict(settings)


KIND = PooledVideoLlavaConfig.model_type
AutoConfig.register(KIND, PooledVideoLlavaConfig)
AutoModelForImageTextToText.register(
    PooledVideoLlavaConfig, PooledVideoLlavaForConditionalGeneration
)
AutoProcessor.register(PooledVideoLlavaConfig, PooledVideoLlavaProcessor)
# Folders of a LLaVA call its weights otherwise than the model does
for theirs, ours in (("llava", KIND), ("LlavaModel", PooledVideoLlavaModel.__name__)):
    register_checkpoint_conversion_mapping(ours, get_checkpoint_conversion_mapping(theirs))
