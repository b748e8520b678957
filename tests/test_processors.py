"""Frames read from Hugging Face image processors, held against what they do to pixels.

`tests/test_geometry.py` tries many settings on few processors; here is every processor that the
installed transformers has, the extremes, and what must be refused.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.processors import frame_of

transformers = pytest.importorskip("transformers")

BRIGHT = 250


def pil_processors() -> Iterator[str]:
    """The names of all image processors of transformers that work without torchvision."""
    folder = Path(transformers.__file__).parent / "models"
    for file in sorted(folder.glob("*/image_processing_pil_*.py")):
        module = importlib.import_module(f"transformers.models.{file.parent.name}.{file.stem}")
        yield from (name for name in module.__all__ if name.endswith("ImageProcessorPil"))


def make(name: str, **settings: Any) -> Any:
    return getattr(transformers, name)(**settings)


def seen(processor: Any, picture: np.ndarray) -> np.ndarray:
    """The brightness that the model sees, (h, w), of a grey (H, W) uint8 picture."""
    image = Image.fromarray(np.stack([picture] * 3, axis=-1))
    out = processor(images=image, do_normalize=False, do_rescale=False, return_tensors="np")
    return np.asarray(out["pixel_values"][0, 0], dtype=np.float64)


def lit(processor: Any, box: Box, size: Size) -> np.ndarray:
    """What the model sees, (h, w), of a `box` that is 1 on a 0 picture (whole original pixels)."""
    picture = np.zeros((size[1], size[0]), dtype=np.uint8)
    blank = seen(processor, picture)  # padding may have a color of its own
    picture[int(box.y1) : int(box.y2), int(box.x1) : int(box.x2)] = BRIGHT
    return (seen(processor, picture) - blank) / BRIGHT


def stretch(profile: np.ndarray) -> tuple[float, float]:
    """Start and end of a bright stretch, to parts of a pixel, from its sum and first moment."""
    length = profile.sum()
    middle = (profile * (np.arange(len(profile)) + 0.5)).sum() / length
    return middle - length / 2, middle + length / 2


# Every processor


@pytest.mark.parametrize("name", sorted(set(pil_processors())))
@pytest.mark.parametrize("size", [(640, 427), (333, 500)], ids=["wide", "tall"])
def test_the_frame_is_right_or_refused(name: str, size: Size) -> None:
    processor = make(name)
    try:
        frame = frame_of(processor, size)
    except InputError as error:
        assert type(processor).__name__ in str(error)
        assert "\n" not in str(error)
        return
    box = Box(200, 150, 260, 230)  # off the middle, so that a mirrored frame would fail
    expected = frame.apply(box)
    bright = lit(processor, box, size)
    assert bright.shape == (frame.model[1], frame.model[0])
    column, row = (int(v) for v in coords_of(frame.apply(box.center)))
    x1, x2 = stretch(bright[row])
    y1, y2 = stretch(bright[:, column])
    assert (x1, y1, x2, y2) == pytest.approx(coords_of(expected), abs=0.5)


@pytest.mark.parametrize(
    "name",
    [
        "BlipImageProcessorPil",
        "CLIPImageProcessorPil",
        "DeiTImageProcessorPil",
        "LlavaImageProcessorPil",
        "SiglipImageProcessorPil",
        "ViTImageProcessorPil",
    ],
)
def test_the_common_ones_are_not_refused(name: str) -> None:
    processor = make(name)
    model = frame_of(processor, (640, 427)).model
    assert model == tuple(reversed(seen(processor, np.zeros((427, 640), np.uint8)).shape))


# The extremes

SQUARE = {"height": 56, "width": 56}


@pytest.mark.parametrize(
    ("name", "settings", "longest"),
    [
        ("ViTImageProcessorPil", {"size": SQUARE}, 10000),
        ("LlavaImageProcessorPil", {"size": SQUARE, "do_pad": True, "do_center_crop": False}, 999),
        ("CLIPImageProcessorPil", {"do_resize": False, "crop_size": SQUARE}, 10000),
    ],
    ids=["squash", "pad-to-square", "crop"],
)
@pytest.mark.parametrize("shape", ["dot", "two dots", "row", "column"])
def test_extreme_pictures(name: str, settings: dict[str, Any], longest: int, shape: str) -> None:
    """As much light arrives as the frame says that the model sees of the picture."""
    size = {"dot": (1, 1), "two dots": (2, 1), "row": (longest, 1), "column": (1, longest)}[shape]
    processor = make(name, **settings)
    frame = frame_of(processor, size)
    whole = frame.apply(Box(0, 0, *size))
    assert isinstance(whole, Box)
    bright = lit(processor, Box(0, 0, *size), size)
    assert bright.shape == (56, 56)
    # Resampling in 8 bits blurs an edge and rounds the light of a thin line.
    assert bright.sum() == pytest.approx(whole.clip(56, 56).area, rel=0.05, abs=0.5)


def test_a_picture_that_would_vanish_is_refused() -> None:
    processor = make("ViTImageProcessorPil", size={"max_height": 224, "max_width": 224})
    message = "ViTImageProcessorPil: a picture of 10000 x 1 pixels would be resized to 224 x 0"
    with pytest.raises(InputError, match=message):
        frame_of(processor, (10000, 1))


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_no_picture(size: Size) -> None:
    with pytest.raises(ValueError, match="size"):
        frame_of(make("ViTImageProcessorPil"), size)


# How settings may be written


class Settings:
    """The attributes of a processor, in the shapes that older releases and users give them."""

    def __init__(self, **settings: Any):
        self.__dict__.update(settings)


@pytest.mark.parametrize(
    "size", [224, {"height": 224, "width": 224}, {"height": 224.0, "width": 224, "longest": None}]
)
def test_a_size_is_an_int_or_a_dict(size: Any) -> None:
    processor = Settings(do_resize=True, size=size)
    assert frame_of(processor, (640, 427)) == Frame.resize((640, 427), 224)


def test_nothing_set_moves_nothing() -> None:
    assert frame_of(Settings(), (640, 427)) == Frame.identity((640, 427))
    switched_off = Settings(do_resize=False, size=224, do_center_crop=False, crop_size=9)
    assert frame_of(switched_off, (640, 427)) == Frame.identity((640, 427))


def test_height_is_not_width() -> None:
    frame = frame_of(Settings(do_resize=True, size={"height": 100, "width": 300}), (640, 427))
    assert frame.model == (300, 100)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_resize": True},
        {"do_resize": True, "size": {"height": 224}},
        {"do_center_crop": True},
        {"do_center_crop": True, "crop_size": {"shortest_edge": 224}},
    ],
)
def test_a_step_without_its_size_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot tell the model's image size"):
        frame_of(Settings(**settings), (640, 427))


# Steps of one's own


@pytest.mark.parametrize(
    "step",
    [
        "preprocess",
        "_preprocess_image_like_inputs",
        "process_image",
        "_preprocess",
        "resize",
        "center_crop",
        "pad",
    ],
)
def test_an_overridden_step_is_refused(step: str) -> None:
    """It might move pixels, and a guessed frame would put boxes in the wrong place."""
    own = type("Own", (type(make("CLIPImageProcessorPil")),), {step: lambda self, *a, **k: None})
    with pytest.raises(InputError, match=rf"Own moves pixels in its own {step}\(\)"):
        frame_of(own(), (640, 427))


def test_a_subclass_that_moves_no_pixels_is_read() -> None:
    own = type("Own", (type(make("CLIPImageProcessorPil")),), {"normalize": lambda self, x: x})
    assert frame_of(own(), (640, 427)) == frame_of(make("CLIPImageProcessorPil"), (640, 427))


def test_saving_and_loading_keeps_the_frame(tmp_path: Path) -> None:
    processor = make("CLIPImageProcessorPil", size={"shortest_edge": 101}, crop_size=90)
    processor.save_pretrained(tmp_path)
    again = type(processor).from_pretrained(tmp_path)
    assert frame_of(again, (640, 427)) == frame_of(processor, (640, 427))
