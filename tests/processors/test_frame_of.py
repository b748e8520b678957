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

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.processors import frame_of, has_formula, shows_tiles
from tests import families
from tests.processors.seeing import found, lit, lit_views, seen

transformers = pytest.importorskip("transformers")


# They take pairs of pictures, marks beside them, words read off them, or colors of their own; or
# what they show is no part of the picture (mirrored edges), or depends on it (margins)
NO_FRAME = {
    *("EfficientLoFTR", "ImageGPT", "LayoutLMv2", "LayoutLMv3", "LightGlue", "Nougat", "SuperGlue"),
    *("Swin2SR", "VitMatte", "VitPose", "ZoeDepth"),
}
LARGE = ("Donut", "GraniteDocling", "SmolVLM", "Owlv2", "Fuyu", "Kosmos2_5", "Idefics3")
SQUARE = {"height": 56, "width": 56}


def pil_processors() -> Iterator[str]:
    """The names of all image processors of transformers that work without torchvision."""
    folder = Path(transformers.__file__).parent / "models"
    for file in sorted(folder.glob("*/image_processing_pil_*.py")):
        module = importlib.import_module(f"transformers.models.{file.parent.name}.{file.stem}")
        yield from (name for name in module.__all__ if name.endswith("ImageProcessorPil"))


def make(name: str, **settings: Any) -> Any:
    return getattr(transformers, name)(**settings)


# Every processor


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, (333, 500)) for name in sorted(set(pil_processors()))),
        *((n, (640, 427)) for n in sorted(set(pil_processors())) if not n.startswith(LARGE)),
    ],
)
def test_the_frame_is_right_or_refused(name: str, size: Size) -> None:
    smaller = {"size": {"height": 640, "width": 480}} if name.startswith("Donut") else {}
    processor = make(name, **smaller)
    box = Box(200, 150, 260, 230)  # off the middle, so that a mirrored frame would fail
    try:
        if has_formula(processor):
            check_box(lit(processor, box, size), frame_of(processor, size), box)
        else:
            for view, bright in lit_views(processor, box, size):
                check_box(bright, view, box)
    except InputError as error:
        assert type(processor).__name__ in str(error)
        assert "\n" not in str(error)
        assert name.removesuffix("ImageProcessorPil") in NO_FRAME


def check_box(bright: np.ndarray, frame: Frame, box: Box) -> None:
    """What is bright in (h, w) is the box, as far as it can be seen in that picture."""
    assert bright.shape == (frame.model[1], frame.model[0])
    expected = frame.apply(box)
    assert isinstance(expected, Box)
    seen = expected.clip(*frame.model)
    if min(seen.width, seen.height) < 2:
        return
    column, row = (int(v) for v in coords_of(seen.center))
    assert found(bright, (column, row)) == pytest.approx(coords_of(seen), abs=0.5)


@pytest.mark.parametrize(
    "name",
    [
        "BlipImageProcessorPil",
        "CLIPImageProcessorPil",
        "DeiTImageProcessorPil",
        "GotOcr2ImageProcessorPil",
        "Idefics3ImageProcessorPil",
        "LlavaImageProcessorPil",
        "LlavaNextImageProcessorPil",
        "Qwen2VLImageProcessorPil",
        "SiglipImageProcessorPil",
        "SmolVLMImageProcessorPil",
        "ViTImageProcessorPil",
    ],
)
def test_the_common_ones_are_not_refused(name: str) -> None:
    processor = make(name)
    model = frame_of(processor, (640, 427)).model
    assert model == tuple(reversed(seen(processor, np.zeros((427, 640), np.uint8)).shape))


# Steps of one's own: tiles and dynamic resolution


@pytest.mark.parametrize("name", families.names())
@pytest.mark.parametrize(
    "size", [(640, 427), (333, 500), (64, 64), (90, 300), (300, 90), (114, 24), (1000, 999)]
)
def test_every_family_sees_what_its_frame_says(name: str, size: Size) -> None:
    """A marker drawn on the picture, and found in the pixels that the model gets."""
    _, processor = families.build(name)
    frame = frame_of(processor, size)
    width, height = size
    mark = Box(width * 3 // 8, height * 7 // 16, width * 9 // 16, height * 5 // 8)  # in a crop, too
    bright = lit(processor.image_processor, mark, size)
    assert bright.shape == (frame.model[1], frame.model[0])
    inside = tuple(int(v) for v in coords_of(frame.apply(mark.center)))
    expected = frame.apply(mark)
    assert isinstance(expected, Box)
    clipped = coords_of(expected.clip(*frame.model))
    assert found(bright, inside) == pytest.approx(clipped, abs=0.6)


def test_a_picture_in_tiles_is_said_to_be() -> None:
    tiled = {name for name in families.names() if shows_tiles(families.build(name)[1])}
    assert tiled | {"smolvlm"} == {"idefics3", "internvl", "llava_next", "smolvlm"}


@pytest.mark.parametrize("tiles", [True, False])
def test_internvl_sees_the_same_with_tiles_and_without(tiles: bool) -> None:
    processor = make("GotOcr2ImageProcessorPil", size=SQUARE, crop_to_patches=tiles)
    assert frame_of(processor, (640, 427)) == Frame.resize((640, 427), 56)
    assert seen(processor, np.zeros((427, 640), np.uint8)).shape == (56, 56)


def test_llava_next_may_crop_its_overview() -> None:
    processor = make("LlavaNextImageProcessorPil", size={"shortest_edge": 56}, crop_size=28)
    frame = frame_of(processor, (640, 427))
    assert frame == Frame.resize((640, 427), 56).cropped((28, 28))
    whole = make("LlavaNextImageProcessorPil", size={"shortest_edge": 56}, do_center_crop=False)
    assert frame_of(whole, (640, 427)) == Frame.resize((640, 427), 56)


@pytest.mark.parametrize("name", ["Qwen2VLImageProcessorPil", "Idefics3ImageProcessorPil"])
def test_dynamic_processors_need_their_resize(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: .* without do_resize is not known"):
        frame_of(make(name, do_resize=False), (640, 427))


def test_a_sliver_is_refused_where_the_processor_would_fail() -> None:
    with pytest.raises(InputError, match="201 x 1 pixels is too narrow"):
        frame_of(make("Qwen2VLImageProcessorPil"), (201, 1))


# The extremes


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
def test_an_overridden_step_is_looked_at(step: str) -> None:
    """It might move pixels, and a guessed frame would put boxes in the wrong place."""
    for base in ("CLIPImageProcessorPil", "Qwen2VLImageProcessorPil", "LlavaImageProcessorPil"):
        own = type("Own", (type(make(base)),), {step: lambda self, *a, **k: None})
        assert not has_formula(own())
        try:
            frame = frame_of(own(), (640, 427))
        except InputError as error:
            assert f"Own moves pixels in its own {step}(), which LocVLM does not know" in str(error)
            assert "\n" not in str(error)
        else:  # no picture goes through that step
            assert step in ("center_crop", "pad")
            assert coords_of(frame.apply(Box(0, 0, 640, 427))) == pytest.approx(
                coords_of(frame_of(make(base), (640, 427)).apply(Box(0, 0, 640, 427))), abs=0.1
            )


def test_an_overridden_step_is_read_off_what_it_does() -> None:
    base = type(make("CLIPImageProcessorPil"))

    def crop_the_left(self: Any, image: np.ndarray, size: Any, **_: Any) -> np.ndarray:
        return image[:, : size["height"], : size["width"]]

    own = type("Own", (base,), {"center_crop": crop_the_left})()
    resized = Frame.resize((640, 427), (335, 224))
    assert frame_of(own, (640, 427)) == Frame((640, 427), (224, 224), resized.scale)


def test_a_subclass_that_moves_no_pixels_is_read() -> None:
    own = type("Own", (type(make("CLIPImageProcessorPil")),), {"normalize": lambda self, x: x})
    assert frame_of(own(), (640, 427)) == frame_of(make("CLIPImageProcessorPil"), (640, 427))


def test_saving_and_loading_keeps_the_frame(tmp_path: Path) -> None:
    processor = make("CLIPImageProcessorPil", size={"shortest_edge": 101}, crop_size=90)
    processor.save_pretrained(tmp_path)
    again = type(processor).from_pretrained(tmp_path)
    assert frame_of(again, (640, 427)) == frame_of(processor, (640, 427))
