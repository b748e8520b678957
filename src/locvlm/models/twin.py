"""A LLaVA's processor for pictures that are shown twice: as they are, and turned.

The second is the picture turned about its diagonal, so x and y change places: read line by line,
its patches are the columns of the first. The model is an ordinary one that is given two pictures.
"""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from transformers import LlavaProcessor

from locvlm.media.clips import Clip
from locvlm.media.opening import View


class TwinLlavaProcessor(LlavaProcessor):
    """As `LlavaProcessor`; its kind alone says that a question shows the picture and its twin."""


# It is written into the files, and read by it: they are those of an ordinary LLaVA
TwinLlavaProcessor.__name__ = LlavaProcessor.__name__


def is_twin(processor: Any) -> bool:
    """Whether pictures are shown twice."""
    return isinstance(processor, TwinLlavaProcessor)


def transpose(image: Image.Image) -> Image.Image:
    """About the diagonal from the upper left: what was x is y."""
    return image.transpose(Image.Transpose.TRANSPOSE)


def make_twins(view: View) -> list[Image.Image]:
    """A picture and its twin. A clip, which such a model is never given, has none."""
    assert not isinstance(view, Clip)
    return [view, transpose(view)]


def add_twin_mask(mask: torch.Tensor, columns: int) -> torch.Tensor:
    """(..., T) about patches, row by row, as (..., 2 T): those of the twin come after it."""
    grid = mask.unflatten(-1, (-1, columns))
    return torch.cat([mask, grid.mT.flatten(-2)], dim=-1)
