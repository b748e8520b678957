"""Encoders that a LLaVA of parts cannot read are named, before a run begins."""

from typing import Any

import pytest
import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTConfig,
    ViTModel,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from locvlm.errors import InputError
from locvlm.models.encoder_check import check_encoder, count_patches

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 7}
CLIP = CLIPVisionModel(CLIPVisionConfig(**SMALL, intermediate_size=16, image_size=28))


def check(tower: Any, layers: int | list[int] = -2, *, height: int = 28, width: int = 28) -> None:
    size = {"height": height, "width": width}
    images = CLIPImageProcessorPil(size=size, do_center_crop=False)
    check_encoder(tower.eval(), images, layers, "here")


@pytest.mark.parametrize("layers", [-3, 0, 2, [-2, -1]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_clip(layers: int | list[int], dtype: torch.dtype) -> None:
    check(CLIP.to(dtype), layers)


@pytest.mark.parametrize("layers", [-4, 3, [-2, 7], []])
def test_outputs_that_it_has_not(layers: int | list[int]) -> None:
    with pytest.raises(InputError, match=r"parts\.layers: here has outputs from 0 .* to 2, or"):
        check(CLIP, layers)


def test_other_vectors_than_patches_and_one_cls_token() -> None:
    registers = Dinov2WithRegistersConfig(**SMALL, image_size=28, num_register_tokens=4)
    with pytest.raises(InputError, match="gives 21 vectors for a picture of 16 patches"):
        check(Dinov2WithRegistersModel(registers))
    siglip = SiglipVisionConfig(**SMALL, image_size=28, intermediate_size=16)
    with pytest.raises(InputError, match="gives 16 vectors for a picture of 16 patches"):
        check(SiglipVisionModel(siglip))


def test_pictures_that_are_not_square() -> None:
    wide = ViTConfig(**SMALL, image_size=(28, 56), intermediate_size=16)
    with pytest.raises(InputError, match="made for pictures of 28 x 56 pixels"):
        check(ViTModel(wide), width=56)
    with pytest.raises(InputError, match="made for pictures of 28 x 56 pixels"):
        count_patches(wide, "here")  # as a plan asks it
    assert count_patches(CLIP.config, "here") == 16


def test_another_size_than_its_image_processor_makes() -> None:
    with pytest.raises(InputError, match="cannot read what its image processor makes"):
        check(CLIP.float(), height=56, width=56)
