"""The inputs of several images as those of one batch."""

import torch

from locvlm.training.data.training_batch import merge_inputs


def test_lists_of_numbers_are_joined() -> None:
    """Unlimited-OCR's model takes the numbers of tiles as a list."""
    images = [{"num_local_patches": [count], "pixel_values": torch.zeros(1, 2)} for count in (6, 0)]
    merged = merge_inputs(images)
    assert merged["num_local_patches"] == [6, 0]
    assert merged["pixel_values"].shape == (2, 2)
