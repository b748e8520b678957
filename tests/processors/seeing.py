"""What a model sees of a picture, from the pixels that a real processor hands it."""

from typing import Any

import numpy as np
from PIL import Image

from locvlm.geometry import Box, Frame, Size
from locvlm.processors.probe import look, process, show

BRIGHT = 250


def seen(processor: Any, picture: np.ndarray) -> np.ndarray:
    """The brightness that the model sees, (h, w), of a grey (H, W) uint8 picture.

    Of a picture in tiles, that of the overview.
    """
    image = Image.fromarray(np.stack([picture] * 3, axis=-1))
    out = processor(images=image, do_normalize=False, do_rescale=False, return_tensors="np")
    pixels = np.asarray(out["pixel_values"], dtype=np.float64)
    if "image_grid_thw" in out:
        return _from_patches(pixels, out["image_grid_thw"][0], processor)
    if "image_position_ids" in out:
        return _from_placed_patches(pixels[0], out["image_position_ids"][0], processor)
    if "image_sizes" in out:  # LLaVA-NeXT
        return pixels[0, 0, 0]
    if pixels.ndim == 5:  # Idefics3, SmolVLM
        return pixels[0, -1, 0]
    return pixels[-1, 0]  # of one picture, or of InternVL's tiles


def _from_patches(patches: np.ndarray, grid: np.ndarray, processor: Any) -> np.ndarray:
    """Qwen's rows of patches, of which each four lie together, as a picture."""
    _, height, width = grid
    merge, side = processor.merge_size, processor.patch_size
    blocks = patches.reshape(height // merge, width // merge, merge, merge, 3, -1, side, side)
    return blocks[..., 0, 0, :, :].transpose(0, 2, 4, 1, 3, 5).reshape(height * side, width * side)


def _from_placed_patches(patches: np.ndarray, places: np.ndarray, processor: Any) -> np.ndarray:
    """Gemma 4's patches, each with its (column, row); those of padding have none."""
    columns, rows = places.max(0) + 1
    side = processor.patch_size
    image = np.zeros((rows, columns, side, side))
    for patch, (column, row) in zip(patches, places, strict=True):
        if column >= 0:
            image[row, column] = patch.reshape(side, side, 3)[..., 0]
    return image.transpose(0, 2, 1, 3).reshape(rows * side, columns * side)


def lit(processor: Any, box: Box, size: Size) -> np.ndarray:
    """What the model sees, (h, w), of a `box` that is 1 on a 0 picture (whole original pixels)."""
    picture = np.zeros((size[1], size[0]), dtype=np.uint8)
    blank = seen(processor, picture)  # padding may have a color of its own
    picture[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = BRIGHT
    return (seen(processor, picture) - blank) / BRIGHT


def lit_views(processor: Any, box: Box, size: Size) -> list[tuple[Frame, np.ndarray]]:
    """As `lit`, of each picture that any processor makes, with the frame that was read off it."""
    picture = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    views = look(processor, size)
    picture[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = 255
    marked = process(processor, Image.fromarray(picture))
    return [(view.frame, show(view, marked)[..., 1] / 255) for view in views]


def found(bright: np.ndarray, inside: tuple[int, int]) -> tuple[float, float, float, float]:
    """(x1, y1, x2, y2) of a bright box in (h, w), to parts of a pixel; `inside` is (x, y) in it."""
    x1, x2 = _stretch(bright[inside[1]])
    y1, y2 = _stretch(bright[:, inside[0]])
    return x1, y1, x2, y2


def _stretch(profile: np.ndarray) -> tuple[float, float]:
    """Start and end of a bright stretch, from its sum and first moment."""
    length = profile.sum()
    middle = (profile * (np.arange(len(profile)) + 0.5)).sum() / length
    return middle - length / 2, middle + length / 2
