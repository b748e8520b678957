"""`max_pixels` and `min_pixels` bound how large a picture is seen, and so its tokens."""

import copy
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.folders import ModelSettings
from locvlm.models.pixel_limits import PixelLimits
from locvlm.processors import frame_of, views_of
from tests import families

QWENS = ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"]
IMAGE = Image.new("RGB", (600, 400))


@pytest.mark.parametrize("name", QWENS)
def test_fewer_pixels_are_fewer_tokens_in_the_frame_that_is_told(name: str) -> None:
    _, processor = families.build(name)
    before = ChatTokens(processor).prefix(IMAGE)["input_ids"].shape[1]
    most = processor.image_processor.size["longest_edge"] // 2
    bounded = PixelLimits(max_pixels=most).apply(processor)
    after = ChatTokens(bounded).prefix(IMAGE)["input_ids"].shape[1]
    width, height = frame_of(bounded, IMAGE.size).model
    assert width * height <= most
    assert after < before
    bounded = PixelLimits(min_pixels=700 * 500, max_pixels=900 * 900).apply(processor)
    width, height = frame_of(bounded, IMAGE.size).model
    assert 700 * 500 <= width * height <= 900 * 900


@pytest.mark.parametrize("name", QWENS)
def test_they_are_saved_with_a_whole_model(name: str, tmp_path: Path) -> None:
    _, processor = families.build(name)
    PixelLimits(max_pixels=100 * 100).apply(processor).save_pretrained(tmp_path)
    again = type(processor.image_processor).from_pretrained(tmp_path)
    assert frame_of(again, IMAGE.size) == frame_of(processor, IMAGE.size)


@pytest.mark.parametrize("name", ["llava", "internvl", "paligemma"])
def test_a_model_without_such_a_setting_says_so(name: str) -> None:
    _, processor = families.build(name)
    assert PixelLimits().apply(processor) is processor
    with pytest.raises(InputError, match=r"max_pixels: \w+ has no such setting; .* leave it out"):
        PixelLimits(max_pixels=1000).apply(processor)


AREAS = ("glm4v", "paddleocr_vl", "ernie4_5_vl_moe", "hunyuan_vl", "video_llama_3", "cosmos3_edge")


def image_processor(model: str) -> Any:
    """With its default settings."""
    module = import_module(f"transformers.models.{model}.image_processing_pil_{model}")
    (kind,) = (
        it
        for name, it in vars(module).items()
        if isinstance(it, type)
        and it.__module__ == module.__name__
        and name.endswith("ImageProcessorPil")
        and not name.startswith("Ernie4_5_VL_")  # an older name of the same
    )
    return kind()


@pytest.mark.parametrize("model", AREAS)
def test_other_families_that_scale_to_a_number_of_pixels(model: str) -> None:
    """GLM's own settings count two frames: what users give are pixels of the picture."""
    processor = PixelLimits(max_pixels=300_000).apply(image_processor(model))
    width, height = frame_of(processor, (1200, 900)).model
    assert 250_000 < width * height <= 300_000
    processor = PixelLimits(400_000, 500_000).apply(image_processor(model))
    width, height = frame_of(processor, (300, 200)).model
    assert 400_000 <= width * height <= 500_000


@pytest.mark.parametrize("model", ["pixtral", "idefics2", "idefics3", "smolvlm"])
def test_families_that_bound_the_longer_side(model: str) -> None:
    most = 800 * 800
    processor = image_processor(model)
    before = sum(np.prod(view.model) for view in views_of(processor, (1600, 1200)))
    PixelLimits(max_pixels=most).apply(processor)
    views = [np.prod(view.model) for view in views_of(processor, (1600, 1200))]
    assert sum(views) < before
    assert sum(views) - (len(views) > 1) * views[-1] <= most  # without the overview
    with pytest.raises(InputError, match=r"min_pixels: \w+ has no such setting, only max_pixels"):
        PixelLimits(min_pixels=1000).apply(processor)


def test_fewer_tiles_are_fewer_tokens() -> None:
    _, processor = families.build("idefics3")
    processor = copy.deepcopy(processor)
    before = ChatTokens(processor).prefix(IMAGE)["input_ids"].shape[1]
    tile = processor.image_processor.max_image_size["longest_edge"]
    PixelLimits(max_pixels=tile**2).apply(processor)
    assert ChatTokens(processor).prefix(IMAGE)["input_ids"].shape[1] < before
    with pytest.raises(InputError, match=rf"max_pixels 9: \w+ sees at least {tile**2} pixels"):
        PixelLimits(max_pixels=9).apply(processor)


def test_a_side_that_is_passed_over_is_no_setting() -> None:
    processor = image_processor("glm5_next")
    before = processor.size
    with pytest.raises(InputError, match="max_pixels: Glm5Next.* has no such setting"):
        PixelLimits(max_pixels=500_000).apply(processor)
    assert processor.size == before


@pytest.mark.parametrize("limits", [PixelLimits(9000, 8000), PixelLimits(None, 1)])
def test_a_range_that_holds_nothing(limits: PixelLimits) -> None:
    _, processor = families.build("qwen2_vl")
    with pytest.raises(InputError, match=r"give a range of at least \d+ pixels"):
        limits.apply(processor)


def test_a_format_of_seen_pixels_tells_the_same_frame() -> None:
    _, processor = families.build("qwen2_5_vl")
    limits = PixelLimits(max_pixels=processor.image_processor.size["longest_edge"] // 2)
    spoken = limits.told_by(coordinates.get("qwen2.5-vl"), limits.apply(processor))
    assert spoken.frame(IMAGE.size) == spoken.frame_on(processor, IMAGE.size)
    assert limits.told_by(coordinates.get("ivb"), processor) == coordinates.get("ivb")


def test_an_adapter_remembers_them(tmp_path: Path) -> None:
    ModelSettings(base="x", max_pixels=10_000).write(tmp_path)
    assert ModelSettings.read(tmp_path).pixels == PixelLimits(None, 10_000)
    assert PixelLimits(5, None).over(PixelLimits(1, 2)) == PixelLimits(5, 2)


@pytest.mark.parametrize("name", ["min_pixels", "max_pixels"])
@pytest.mark.parametrize("value", [0, -1])
def test_no_number_of_pixels(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name}: {value} is no number of pixels"):
        PixelLimits(**{name: value})
