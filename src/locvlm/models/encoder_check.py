"""Whether an encoder gives what a LLaVA of parts reads: a square of patches behind one CLS token.

CLIP, ViT and DINOv2 do. SigLIP has no CLS token, DINOv2 with registers has more of them, and a ViT
may be made for pictures that are not square: a LLaVA would drop a patch, or take what is none for
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image

from locvlm.errors import InputError, first_line


def check_encoder(tower: Any, images: Any, layers: int | Sequence[int], where: str) -> None:
    """Raise InputError unless a picture becomes a square of patches behind one CLS token.

    Args:
        tower: the encoder.
        images: its image processor; a gray picture goes through both of them.
        layers: the encoder's outputs that are to be read.
        where: the encoder, as an error names it.
    """
    patches = count_patches(tower.config, where)
    side = tower.config.image_size
    pixels = images(Image.new("RGB", (side, side), "gray"), return_tensors="pt")["pixel_values"]
    try:
        with torch.no_grad():
            found = tower(pixels.to(tower.dtype), output_hidden_states=True).hidden_states
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{where}: cannot read what its image processor makes of a picture: {first_line(error)}"
        ) from error
    chosen = [layers] if isinstance(layers, int) else layers
    most = len(found)
    if not chosen or not all(-most <= layer < most for layer in chosen):
        raise InputError(
            f"parts.layers: {where} has outputs from 0 (before its first layer) to {most - 1}, or "
            f"from -1 (the last one) to {-most}; give one or more of them"
        )
    tokens = found[-1].shape[1]
    if tokens != patches + 1:
        raise InputError(
            f"{where}: gives {tokens} vectors for a picture of {patches} patches; parts need an "
            f"encoder that gives {patches + 1}, the patches behind one CLS token, as CLIP and "
            "DINOv2 (without registers) do"
        )


def count_patches(config: Any, where: str) -> int:
    """The patches of a picture, by an encoder's configuration. Raises InputError if not a square.

    Args:
        config: the encoder's.
        where: the encoder, as an error names it.
    """
    side, patch = config.image_size, config.patch_size
    if not isinstance(side, int) or not isinstance(patch, int):
        raise InputError(
            f"{where}: is made for pictures of {_by(side)} pixels in patches of {_by(patch)}; "
            "parts need an encoder of squares"
        )
    return (side // patch) ** 2


def _by(side: Any) -> str:
    return " x ".join(map(str, side)) if isinstance(side, Sequence) else str(side)
