"""Which images each token looks at, where a model is told so beside the tokens.

Llama 3.2 Vision and Idefics read images by cross attention: their processors write a row for every
token of the text that they are given, and what is added to that text needs rows as well.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from locvlm.families import IMAGE_MASKS


def extend_image_masks(
    inputs: dict[str, torch.Tensor], *, text: int = 0, padding: int = 0
) -> dict[str, torch.Tensor]:
    """The inputs with image masks (1, padding + T + text, …) of what were (1, T, …).

    Args:
        inputs: a model's; what is no such mask is left as it is.
        text: tokens that follow; they look at the images that the last token looks at.
        padding: tokens that come before; they look at none.
    """
    longer = dict(inputs)
    for name in IMAGE_MASKS:
        if name in longer:
            mask = longer[name]
            rest = mask[:, -1:].expand(-1, text, *mask.shape[2:])
            around = [0, 0] * (mask.ndim - 2) + [padding, 0]
            longer[name] = F.pad(torch.cat([mask, rest], dim=1), around)
    return longer
