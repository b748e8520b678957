"""Settings of augmentation, the parts that are drawn, and the light."""

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.media.opening import still_clip
from locvlm.training.augment import SMALLEST, Augment, Color, Crop, Light, crop_view
from locvlm.training.recipe_file import read_recipe

RECIPE = """\
model: tiny
data: [data]
out: out
stages: {a: {trains: adapter, steps: 1, questions: {locpred: 1}}}
"""


def settings(tmp_path: Path, *overrides: str) -> Augment | None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return read_recipe(path, [*overrides]).augment


# Settings


def test_nothing_changes_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert settings(tmp_path) is None
    assert settings(tmp_path, "augment=null") is None


def test_true_is_as_is_usual(tmp_path: Path) -> None:
    usual = Augment(crop=Crop(), color=Color())
    assert settings(tmp_path, "augment={crop: true, color: true}") == usual
    assert settings(tmp_path, "augment={crop: {}, color: {}}") == usual
    assert settings(tmp_path, "augment.color=true") == Augment(color=Color())


def test_a_recipe_says_what_its_true_meant(tmp_path: Path) -> None:
    """A run goes on by what was written down, whatever is usual by then."""
    written = msgspec.json.encode(settings(tmp_path, "augment.crop=true"))
    assert msgspec.json.decode(written)["crop"]["area"] == [0.25, 1.0]
    assert msgspec.json.decode(written, type=Augment) == Augment(crop=Crop())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("augment={}", "augment: changes nothing; give crop, color or both"),
        ("augment={crop: false}", "augment: changes nothing"),
        ("augment.crop.area=[1, 0.5]", "augment.crop.area: 1.0 is more than 0.5; give the least"),
        ("augment.crop.area=[0, 1]", r"> 0.* at `\$.augment.crop"),
        ("augment.crop.area=[0.5, 1.5]", r"<= 1"),
        ("augment.crop.area=0.5", "array"),
        ("augment.crop.ratio=0.3", ">= 1"),
        ("augment.crop.share=2", "<= 1"),
        ("augment.crop.keep=-1", ">= 0"),
        ("augment.crop.size=3", "unknown field `size`"),
        ("augment.crop=much", "bool"),
        ("augment.color.brightness=1", "< 1"),
        ("augment.color.hue=0.6", "<= 0.5"),
        ("augment.color.saturation=-0.1", ">= 0"),
        ("augment.flip=true", "unknown field `flip`"),
        ("augment=true", "object"),
    ],
)
def test_nonsense_is_refused_in_one_line(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        settings(tmp_path, override)
    assert "\n" not in str(caught.value)


# Parts


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Crop, tuple[int, int], Box | None]:
    least, most = sorted(draw(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1))))
    crop = Crop((least, most), draw(st.floats(1, 10)), share=1.0, keep=1.0)
    size = draw(st.tuples(st.integers(1, 900), st.integers(1, 900)))
    x, y = (sorted(draw(st.tuples(*[st.floats(0, side)] * 2))) for side in size)
    return crop, size, draw(st.sampled_from([None, Box(x[0], y[0], x[1], y[1])]))


@given(drawn(), st.integers())
def test_a_part_is_in_the_picture_and_as_large_as_is_wanted(
    case: tuple[Crop, tuple[int, int], Box | None], seed: int
) -> None:
    crop, size, kept = case
    window = crop.draw(size, [kept] if kept else [], random.Random(seed))
    if window is None:
        return
    assert window.clip(*size) == window
    pairs = list(zip((window.width, window.height), size, strict=True))
    assert all(side.is_integer() and side >= min(SMALLEST, whole) for side, whole in pairs)
    slack = sum(0.51 / side for side, _ in pairs)  # whole pixels
    share = window.area / (size[0] * size[1])
    assert share >= crop.area[0] * (1 - slack) - 1e-9
    if min(window.width, window.height) > SMALLEST:
        assert share <= crop.area[1] * (1 + slack) + 1e-9
        stretch = (window.width / size[0]) / (window.height / size[1])
        assert 1 / crop.ratio - slack * 10 <= stretch <= crop.ratio * (1 + 3 * slack)


@given(drawn(), st.integers())
def test_a_part_holds_what_it_keeps_as_far_as_it_fits(
    case: tuple[Crop, tuple[int, int], Box | None], seed: int
) -> None:
    crop, size, kept = case
    window = crop.draw(size, [kept] if kept else [], random.Random(seed))
    if window is None or kept is None:
        return
    for low, high, start, side in (
        (kept.x1, kept.x2, window.x1, window.width),
        (kept.y1, kept.y2, window.y1, window.height),
    ):
        seen = min(high, start + side) - max(low, start)
        assert seen >= min(high - low, side) - 1  # it may lie between two pixels


def test_shares_of_the_visits() -> None:
    chance = random.Random(0)
    parts = [Crop(share=0.7).draw((100, 80), [], chance) for _ in range(1000)]
    lights = [Color(share=0.2).draw(chance) for _ in range(1000)]
    assert 650 < sum(part is not None for part in parts) < 750
    assert 150 < sum(light is not None for light in lights) < 250


def test_a_picture_of_one_pixel_is_shown_whole() -> None:
    draws = [Crop(share=1).draw((1, 1), [], random.Random(seed)) for seed in range(50)]
    assert draws == [None] * 50


def test_all_frames_of_a_clip_are_cut_alike() -> None:
    clip = still_clip(Image.linear_gradient("L").convert("RGB"), 3)
    seen = crop_view(clip, Box(10, 20, 110, 70))
    assert [frame.size for frame in seen.frames] == [(100, 50)] * 3
    assert {frame.getpixel((0, 0)) for frame in seen.frames} == {(20, 20, 20)}


# Light

NOISE = Image.fromarray(
    np.random.default_rng(0).integers(40, 160, (40, 60, 3), dtype=np.uint8), "RGB"
)


def values(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, float)


def test_the_usual_light_changes_nothing() -> None:
    assert np.abs(values(Light(1, 1, 1, 0).apply(NOISE)) - values(NOISE)).max() <= 1


@pytest.mark.parametrize(
    ("light", "tool"),
    [
        (Light(1.3, 1, 1, 0), ImageEnhance.Brightness),
        (Light(1, 1.3, 1, 0), ImageEnhance.Contrast),
        (Light(1, 1, 1.3, 0), ImageEnhance.Color),
    ],
)
def test_light_is_as_pillow_does_it(light: Light, tool: type) -> None:
    expected = values(tool(NOISE).enhance(1.3))
    assert np.abs(values(light.apply(NOISE)) - expected).max() <= 2


def test_without_saturation_all_is_gray() -> None:
    shone = values(Light(1, 1, 0, 0.1).apply(NOISE))
    assert np.abs(shone - shone.mean(-1, keepdims=True)).max() <= 1
    assert np.abs(shone[..., 0] - values(NOISE.convert("L"))).max() <= 2


def test_hues_turn_and_grays_stay() -> None:
    red = Image.new("RGB", (4, 4), (150, 60, 60))
    shone = values(Light(1, 1, 1, 1 / 3).apply(red))[0, 0]
    assert shone.argmax() == 1 or shone.argmax() == 2
    back = Light(1, 1, 1, 0.5).apply(Light(1, 1, 1, 0.5).apply(red))
    assert np.abs(values(back) - values(red)).max() <= 3
    gray = Image.new("RGB", (4, 4), (90, 90, 90))
    assert np.abs(values(Light(1, 1, 1, 0.25).apply(gray)) - 90).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (640, 2)])
@pytest.mark.parametrize("light", [Light(0, 0, 0, 0), Light(1.99, 1.99, 1.99, 0.5)])
def test_extremes_stay_pictures(size: tuple[int, int], light: Light) -> None:
    shone = light.apply(Image.new("RGB", size, (255, 0, 0)))
    assert (shone.size, shone.mode) == (size, "RGB")
