"""Frames that are read off a processor's output, held against formulas and against marked pixels.

Every image processor of transformers is in `test_frame_of.py`; here are sizes, tiles, refusals.
"""

import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.processors import frame_of, probe, views_of
from locvlm.processors.probe import probe_frame, probe_views
from tests import families
from tests.processors.seeing import lit_views

transformers = pytest.importorskip("transformers")

ODD = [(1, 1), (2, 3), (7, 200), (200, 7), (31, 31), (1999, 40), (40, 1999)]
SIDES = st.integers(1, 700)


def edges(frame: Frame) -> tuple[float, ...]:
    """Where the whole original lies, model pixels."""
    return coords_of(frame.apply(Box(0, 0, *frame.original)))


def seen_edges(frame: Frame, by: Frame) -> tuple[float, ...]:
    """Where that part of the original lies of which the model sees something `by` a frame."""
    whole = by.apply(Box(0, 0, *by.original))
    assert isinstance(whole, Box)
    return coords_of(frame.apply(by.invert(whole.clip(*by.model))))


def require_same(processor: Any, size: Size) -> None:
    """The formula and the probe agree, or both refuse."""
    try:
        formula = frame_of(processor, size)
    except InputError:
        with pytest.raises(InputError):
            probe_frame(processor, size)
        return
    try:
        probed = probe_frame(processor, size)
    except InputError as error:  # so little is seen of a sliver that it cannot be told
        assert min(size) < 20 or max(size) > 4 * min(size), error
        return
    assert probed.model == formula.model
    # a sliver that is resized twice has but a few pixels in between, which blur its edges
    sliver = min(size) < 32 or max(size) > 8 * min(size)
    expected = seen_edges(formula, formula)
    assert seen_edges(probed, formula) == pytest.approx(expected, abs=3 if sliver else 0.5)


@pytest.mark.parametrize("name", families.names())
@pytest.mark.parametrize("size", [(640, 427), (333, 500), *ODD])
def test_the_probe_says_what_the_formula_says(name: str, size: Size) -> None:
    require_same(families.build(name)[1], size)


@given(name=st.sampled_from(families.names()), size=st.tuples(SIDES, SIDES))
@settings(max_examples=60, deadline=None)
def test_the_probe_says_what_the_formula_says_at_any_size(name: str, size: Size) -> None:
    require_same(families.build(name)[1], size)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_pad": True, "size": {"height": 56, "width": 56}, "do_center_crop": False},
        {"size": {"shortest_edge": 70}, "crop_size": 56},
        {"size": {"shortest_edge": 50}, "crop_size": {"height": 70, "width": 40}},
    ],
)
@pytest.mark.parametrize("size", [(640, 427), (101, 99), (90, 300), (33, 34)])
def test_padding_and_crops(settings: dict[str, Any], size: Size) -> None:
    require_same(transformers.LlavaImageProcessorPil(**settings), size)


# Tiles


@pytest.mark.parametrize("name", ["idefics3", "internvl", "llava_next"])
@pytest.mark.parametrize("size", [(640, 427), (90, 300)])
def test_each_tile_says_which_part_it_covers(name: str, size: Size) -> None:
    processor = families.build(name)[1].image_processor
    views = views_of(processor, size)
    assert len(views) > 1
    assert any(edges(view) == edges(frame_of(processor, size)) for view in views)
    box = Box(size[0] // 3, size[1] // 3, size[0] // 2, size[1] // 2)
    for (view, bright), frame in zip(lit_views(processor, box, size), views, strict=True):
        assert view == frame
        expected = frame.apply(box)
        assert isinstance(expected, Box)
        light = expected.clip(*frame.model).area
        assert bright.sum() == pytest.approx(light, rel=0.1, abs=8)


def test_tiles_without_an_overview_are_one_picture() -> None:
    processor = transformers.MllamaImageProcessorPil(size={"height": 56, "width": 56})
    views = probe_views(processor, (640, 427))
    assert [view.model for view in views] == [(56, 56)] * 4
    assert frame_of(processor, (640, 427)).model == (112, 112)
    assert edges(frame_of(processor, (640, 427))) == pytest.approx((0, 0, 112, 74), abs=0.1)


def test_one_picture_has_one_view() -> None:
    processor = families.build("llava")[1]
    assert views_of(processor, (640, 427)) == (frame_of(processor, (640, 427)),)


# What cannot be told


class Own:
    """A processor that does `change` to the pixels (H, W, 3)."""

    def __init__(self, change: Any) -> None:
        self.change = change
        self.call: Any = None

    def __call__(self, images: Any, return_tensors: str) -> dict[str, Any]:
        if self.call is not None:
            return dict(self.call(images, return_tensors))
        pixels = self.change(np.asarray(images[0], np.float32))
        return {"pixel_values": np.moveaxis(pixels, -1, 0)[None]}


def test_anything_that_makes_pixels_is_read() -> None:
    frame = probe_frame(Own(lambda pixels: pixels[10:50, 20:90] / 7 - 3), (100, 60))
    assert frame == Frame((100, 60), (70, 40), offset=(-20, -10))


@pytest.mark.parametrize("key", ["image_pixel_values", "pixel_values_images", "images"])
def test_pixels_go_by_several_names_and_may_be_bfloat16(key: str) -> None:
    def call(images: Any, return_tensors: str) -> dict[str, Any]:
        if return_tensors == "np":
            raise TypeError("Got unsupported ScalarType BFloat16")
        pixels = torch.from_numpy(np.asarray(images[0], np.float32)).permute(2, 0, 1)[None]
        return {key: pixels.to(torch.bfloat16) / 255}

    processor = Own(None)
    processor.call = call
    assert probe_frame(processor, (100, 60)) == Frame.identity((100, 60))


@pytest.mark.parametrize("channels_last", [True, False])
def test_squares_of_patches_are_tiles(channels_last: bool) -> None:
    """Molmo 2's (tiles, patches, numbers of a patch), without a grid."""

    def call(images: Any, return_tensors: str) -> dict[str, Any]:
        pixels = np.asarray(images[0], np.float32)  # 64 x 96: a whole of 64 x 64, and its right end
        tiles = np.stack([pixels[:, :64], pixels[:, 32:]])
        patches = tiles.reshape(2, 8, 8, 8, 8, 3).transpose(0, 1, 3, 2, 4, 5)
        if not channels_last:
            patches = np.moveaxis(patches, -1, 3)
        return {"pixel_values": patches.reshape(2, 64, 192)}

    processor = Own(None)
    processor.call = call
    views = probe_views(processor, (96, 64))
    assert views == (
        Frame((96, 64), (64, 64), offset=(0, 0)),
        Frame((96, 64), (64, 64), offset=(-32, 0)),
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda pixels: pixels * np.nan, "not finite"),
        (lambda pixels: pixels[:, ::-1], "mirrored"),
        (lambda pixels: pixels.transpose(1, 0, 2), "turned"),
        (lambda pixels: np.roll(pixels, 30, 1), "cut in pieces"),
        (lambda pixels: np.zeros_like(pixels), "unknown layout"),
        (lambda pixels: 1 / 0, "cannot take a picture of 100 x 60 pixels: division by zero"),
    ],
)
def test_what_cannot_be_told_is_one_line(change: Any, says: str) -> None:
    with pytest.raises(InputError, match=f"^Own.*{says}") as error:
        probe_frame(Own(change), (100, 60))
    assert "\n" not in str(error.value)


def test_margins_that_depend_on_the_picture_are_refused() -> None:
    with pytest.raises(InputError, match="set do_crop_margin to false"):
        frame_of(transformers.NougatImageProcessorPil(), (640, 427))


def test_a_size_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    processor = transformers.BeitImageProcessorPil()
    first = frame_of(processor, (77, 55))
    monkeypatch.setattr(probe, "process", None)
    start = time.perf_counter()
    assert all(frame_of(processor, (77, 55)) == first for _ in range(10))
    assert time.perf_counter() - start < 0.1
    processor.size = {"height": 10, "width": 10}
    with pytest.raises(TypeError):
        frame_of(processor, (77, 55))


def test_hundreds_of_small_tiles_are_read_in_a_moment() -> None:
    """Inkling's are squares of 40 pixels, twice each, its numbers not in one piece."""

    def squares(images: list[Image.Image], return_tensors: str = "np") -> dict[str, np.ndarray]:
        planes = np.asarray(images[0], np.float32) / 255
        tiles = planes.reshape(12, 40, 16, 40, 3).transpose(4, 1, 3, 0, 2).reshape(3, 40, 40, -1)
        return {"pixel_values": np.stack([tiles] * 2).transpose(4, 0, 2, 3, 1)}

    begun = time.process_time()
    frame = probe_frame(squares, (640, 480))
    assert time.process_time() - begun < 10
    assert frame.scale == pytest.approx((1, 1), abs=0.01)
    assert frame.offset == pytest.approx((0, 0), abs=0.2)
