"""What the dialects write: every family's own example, published formulas, declared properties."""

from typing import Any

import numpy as np
import pytest

from locvlm.coordinates import dialects
from locvlm.coordinates import get as dialect
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Point, Size, coords_of

THOUSAND = (1000, 1000)
BOX_ONLY = [name for name in dialects() if dialect(name).kinds == ("box",)]
every_dialect = pytest.mark.parametrize("name", dialects())


@pytest.mark.parametrize(
    ("name", "place", "size", "text"),
    [
        ("cogvlm", Box(34, 120, 589, 991), THOUSAND, "[[034,120,589,991]]"),
        (
            "deepseek-vl2",
            Box(580, 270, 999, 904),
            (999, 999),
            "<|det|>[[580, 270, 999, 904]]<|/det|>",
        ),
        ("ferret", Box(10.9, 20.9, 300, 400), THOUSAND, "[10, 20, 300, 400]"),
        ("ferret", Point(0.4999, 1000), THOUSAND, "[0, 1000]"),
        # Its model card: a car at [34, 160, 597, 372] of 640 x 480.
        (
            "florence-2",
            Box(33.6, 159.6, 596.8, 371.76),
            (640, 480),
            "<loc_52><loc_332><loc_932><loc_774>",
        ),
        ("gemini", Box(341, 258, 397, 360), THOUSAND, '{"box_2d": [258, 341, 360, 397]}'),
        ("gemini", Point(10, 20), THOUSAND, '{"point": [20, 10]}'),
        (
            "glm-4v",
            Box(94, 598, 177, 991),
            THOUSAND,
            "<|begin_of_box|>[[94,598,177,991]]<|end_of_box|>",
        ),
        # Its documentation: the lady with the blue shirt, from RefCOCO.
        (
            "internvl",
            Box(103.93, 299.99, 238.15, 477.41),
            (427, 640),
            "<box>[[243, 469, 558, 746]]</box>",
        ),
        # transformers' example: the snowman.
        (
            "kosmos-2",
            Box(0.390625, 0.046875, 0.984375, 0.828125),
            (1, 1),
            "<object><patch_index_0044><patch_index_0863></object>",
        ),
        ("llava-1.5", Box(41, 31, 67, 73), (100, 100), "[0.41, 0.31, 0.67, 0.73]"),
        ("minigpt-v2", Box(24.9, 7, 98, 93), (100, 100), "{<24><7><98><93>}"),
        (
            "molmo",
            Point(61.5, 40.6),
            (100, 100),
            '<point x="61.5" y="40.6" alt="object">object</point>',
        ),
        # y first; 102.3 and 307.5 of 1023 are bins, the second a tie.
        (
            "paligemma",
            Box(102.3, 307.5, 613.8, 716.1),
            (1023, 1023),
            "<loc0308><loc0102><loc0716><loc0614>",
        ),
        ("qwen-vl", Box(536, 509, 588, 602), THOUSAND, "<box>(536,509),(588,602)</box>"),
        (
            "qwen2-vl",
            Box(176, 106, 232, 160),
            THOUSAND,
            "<|box_start|>(176,106),(232,160)<|box_end|>",
        ),
        ("qwen2-vl", Point(348, 291), THOUSAND, "<|box_start|>(348,291)<|box_end|>"),
        ("qwen2.5-vl", Box(341, 258, 397, 360), (560, 560), '{"bbox_2d": [341, 258, 397, 360]}'),
        ("qwen2.5-vl", Point(12.5, 13.5), (560, 560), '{"point_2d": [12, 14]}'),
        ("qwen3-vl", Box(341, 258, 397, 360), THOUSAND, '{"bbox_2d": [341, 258, 397, 360]}'),
        ("qwen3-vl", Point(12.5, 13.5), THOUSAND, '{"point_2d": [12, 14]}'),
        ("shikra", Box(220, 216, 568, 830), THOUSAND, "[0.220,0.216,0.568,0.830]"),
        ("shikra", Point(321, 7), THOUSAND, "[0.321,0.007]"),
    ],
)
def test_the_familys_example(name: str, place: Location, size: Size, text: str) -> None:
    spoken = dialect(name)
    assert spoken.encode(place, size) == text
    (back,) = spoken.parse(text, size, strict=True)
    step = max(size) / spoken.extent(Frame.identity(size))[0] / 10**spoken.decimals
    assert coords_of(back) == pytest.approx(coords_of(place), abs=spoken.error * step)


# The formulas that are published but not installed, with their own arithmetic

FORMULAS: dict[str, Any] = {
    "ferret": lambda v, side: int(v * (1000 * 1.0 / side)),
    "internvl": lambda v, side: round((v / side) * 1000),
    "glm-4v": lambda v, side: round(v / side * 1000),
    "minigpt-v2": lambda v, side: int(v / side * 100),
    "paligemma": lambda v, side: min(max(int(np.round(v / side * 1023)), 0), 1023),
    "qwen2.5-vl": lambda v, side: max(0, min(round(v), side - 1)),  # in its own frame
}


@pytest.mark.parametrize("name", FORMULAS)
def test_it_writes_what_the_published_formula_gives(name: str) -> None:
    spoken = dialect(name)
    rng = np.random.default_rng(11)
    cases, wrong = 5_000, 0
    for _ in range(cases):
        width, height = (int(v) * 28 for v in rng.integers(2, 72, size=2))
        x1, y1, x2, y2 = np.sort(rng.random((2, 2)) * (width, height), axis=0).ravel()
        sides = (width, height, width, height)
        numbers = [FORMULAS[name](v, s) for v, s in zip((x1, y1, x2, y2), sides, strict=True)]
        if spoken.order == "yx":
            numbers = [numbers[i] for i in (1, 0, 3, 2)]
        ((_, found),) = spoken.find(spoken.encode(Box(x1, y1, x2, y2), (width, height)))
        wrong += list(found or ()) != numbers
    print(f"\n| {name} | encode | its published formula | {cases:,} | {wrong} |")
    assert wrong == 0


@every_dialect
def test_the_far_corner_is_the_largest_number_ever_written(name: str) -> None:
    spoken = dialect(name)
    frame = Frame.identity((560, 280))
    place = Box(0, 0, 560, 280) if "box" in spoken.kinds else Point(560, 280)
    ((_, numbers),) = spoken.find(spoken.encode(place, frame))
    assert numbers is not None
    values = numbers if name == "kosmos-2" else numbers[-2:]
    last = {"kosmos-2": (0, 1023)}.get(name, spoken.largest(frame))
    assert values == last


@pytest.mark.parametrize(
    ("name", "order", "rounding", "scale", "top"),
    [
        ("cogvlm", "xy", "floor", 1000, 999),
        ("deepseek-vl2", "xy", "half-even", 999, 999),
        ("ferret", "xy", "floor", 1000, 1000),
        ("florence-2", "xy", "floor", 1000, 999),
        ("gemini", "yx", "half-even", 1000, 1000),
        ("glm-4v", "xy", "half-even", 1000, 1000),
        ("internvl", "xy", "half-even", 1000, 1000),
        ("kosmos-2", "xy", "cell", 32, 31),
        ("llava-1.5", "xy", "half-even", 1, 1),
        ("minigpt-v2", "xy", "floor", 100, 100),
        ("molmo", "xy", "half-even", 100, 100),
        ("paligemma", "yx", "half-even", 1023, 1023),
        ("qwen-vl", "xy", "floor", 1000, 999),
        ("qwen2-vl", "xy", "floor", 1000, 999),
        ("qwen3-vl", "xy", "half-even", 1000, 1000),
        ("shikra", "xy", "half-even", 1, 1),
        ("qwen2.5-vl", "xy", "half-even", (560, 280), (559, 279)),
    ],
)
def test_properties_are_declared_on_the_class(
    name: str, order: str, rounding: str, scale: Any, top: Any
) -> None:
    spoken = dialect(name)
    assert (spoken.order, spoken.rounding) == (order, rounding)
    frame = Frame.identity((560, 280))
    assert spoken.extent(frame) == (scale if isinstance(scale, tuple) else (scale, scale))
    assert spoken.largest(frame) == (top if isinstance(top, tuple) else (top, top))


@pytest.mark.parametrize("name", BOX_ONLY)
def test_a_family_without_points_says_so(name: str) -> None:
    for refused in (
        lambda: dialect(name).encode(Point(1, 2), THOUSAND),
        lambda: dialect(name).repr_of("point"),
    ):
        with pytest.raises(InputError, match=f"^{name} writes boxes only; give a box") as caught:
            refused()
        assert "\n" not in str(caught.value)


def test_molmo_has_no_boxes() -> None:
    with pytest.raises(InputError, match="molmo writes points only; give a point"):
        dialect("molmo").encode(Box(1, 2, 3, 4), THOUSAND)


@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("cogvlm", "box", "[[x1,y1,x2,y2]]"),
        ("paligemma", "box", "<locy1><locx1><locy2><locx2>"),
        ("gemini", "point", '{"point": [y, x]}'),
        ("qwen2-vl", "point", "<|box_start|>(x,y)<|box_end|>"),
        ("kosmos-2", "box", "<object><patch_index_first><patch_index_last></object>"),
    ],
)
def test_how_the_prompt_names_the_format(name: str, kind: Any, text: str) -> None:
    assert dialect(name).repr_of(kind) == text
