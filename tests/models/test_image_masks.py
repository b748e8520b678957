"""Masks of images that a text goes on with."""

import torch

from locvlm.models.image_masks import extend_image_masks

MASK = torch.tensor([[[[0, 0]], [[1, 0]], [[1, 1]]]])  # (1, 3 tokens, 1 image, 2 tiles)


def test_text_looks_at_what_the_last_token_looks_at_and_padding_at_nothing() -> None:
    inputs = {"cross_attention_mask": MASK, "pixel_values": torch.ones(1, 3, 2, 2)}
    longer = extend_image_masks(inputs, text=2, padding=1)
    rows = longer["cross_attention_mask"][0, :, 0].tolist()
    assert rows == [[0, 0], [0, 0], [1, 0], [1, 1], [1, 1], [1, 1]]
    assert longer["pixel_values"] is inputs["pixel_values"]


def test_the_mask_of_idefics_has_no_tiles() -> None:
    mask = torch.tensor([[[0], [1]]])  # (1, 2 tokens, 1 image)
    longer = extend_image_masks({"image_attention_mask": mask}, text=1, padding=2)
    assert longer["image_attention_mask"].flatten().tolist() == [0, 0, 0, 1, 1]
